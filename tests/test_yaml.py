"""YAML from strangers: whatever it holds, it is read or refused, in bounded time and memory."""

from __future__ import annotations

import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlp_transfer import load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.flows.recipes import validate
from nlp_transfer.recipe.yaml_reader import read_yaml, write_flow, yaml_text

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 20)
)
HOSTILE = {
    "aliases of aliases": BOMB,
    "aliases of one long text": f"a: &a {'x' * 9000}\nb: [{', '.join(['*a'] * 5000)}]",
    "an alias that holds itself": "a: &b {c: *b}",
    "a number that is none": "a: !!int abc",
    "a float that is none": "a: !!float 1.2.3",
    "a truth that is none": "a: !!bool maybe",
    "a null with a value": "a: !!null x",
    "bytes": "a: !!binary aGk=",
    "a time": "a: !!timestamp 2001-01-01",
    "a set": "a: !!set {b}",
    "pairs": "a: !!omap [b: 1]",
    "code": "a: !!python/object/apply:os.system [ls]",
    "a tag of its own": "a: !mine x",
    "a text for a mapping": "!!map x",
    "an escape beyond Unicode": 'a: "\\U0011FFFF"',
    "half of a pair": 'a: "\\uD800"',
    "a very long number": f"a: {'9' * 5000}",
    "a very long hexadecimal number": f"a: 0x{'f' * 5000}",
    "a number beyond all": "a: 1e999999",
    "merge keys": "a: &a {x: 1}\nb: {<<: *a}",
    "tagged merge keys": "a: &a {x: 1}\nb: {!!merge k: *a}",
    "deep lists": "[" * 100_000,
    "deep mappings": "{a: " * 50_000,
    "deep blocks": "\n".join(" " * n + "a:" for n in range(1000)),
    "deep dashes": "- " * 50_000,
    "a key that stands twice": "a: 1\n'a': 2",
    "a key that is a list": "[a]: 1",
    "NUL": "a: \0",
    "two documents": "a: 1\n---\nb: 2",
    "many values": f"a: [{'1,' * 400_000}]",
    "many keys": "\n".join(f"k{n}: 1" for n in range(70_000)),
    "a huge text": f"a: {'x' * 2_000_000}",
    "a directive": "%YAML 9.9\n---\na: 1",
    "a tab": "a:\n\tb: 1",
    "a quote without its end": 'a: "x',
    "a bracket without its end": "a: [1",
    "nothing but an anchor": "&",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_yaml_is_refused_at_once(text):
    start = time.process_time()
    with pytest.raises(UserError, match=r"^here(:\d+)*: "):
        read_yaml(text, "here")
    assert time.process_time() - start < 10


def test_aliases_take_no_memory():
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="too many for a recipe"):
            read_yaml(BOMB, "here")
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a:\n\tb: 1", "here:2:1", "a tab; indent with blanks"),
        ('a: "C:\\data\\train"', "here:1:8", "a backslash in"),
        ("a: b: c", "here:1:5", "put a text that holds it in quotes"),
        ("a: @x", "here:1:4", "text that begins with @ must stand in quotes"),
        ("a: *x", "here:1:4", "put a text that begins with * in quotes"),
        ("a: 1\n---\nb: 2", "here:2:1", "a recipe is one"),
        ("a: [1", "here:1:6", "no ] closes"),
        ("a: !!timestamp 2001-01-01", "here:1:4", "leave it out"),
        ("a: 1\nb: \x07", "here:2", "the character U+0007"),
        ("a: \0", "here:1", "Is the file UTF-16?"),
        ("a: &a {x: 1}\nb:\n  <<: *a", "here:3:3", "write them out"),
    ],
)
def test_broken_yaml_says_where_and_what_to_do(text, place, words):
    with pytest.raises(UserError) as caught:
        read_yaml(text, "here")
    assert str(caught.value).startswith(f"{place}: this is not valid YAML: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x [1, 2]\nb: *x", {"a": [1, 2], "b": [1, 2]}),
        ('a: "\\uD83D\\uDE00"', {"a": "\U0001f600"}),  # as JSON writes it
        ("a: !!str 5", {"a": "5"}),
        ("a: !!int 007", {"a": 7}),
        ("1: a\ntrue: b\nno: c", {"1": "a", "true": "b", "no": "c"}),
        ("'a': C:\\data\\train.conll", {"a": "C:\\data\\train.conll"}),
    ],
)
def test_what_is_well_meant_is_read(text, value):
    assert read_yaml(text, "here")[0] == value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_with_its_mark(tmp_path, encoding):
    path = tmp_path / "a.yaml"
    path.write_bytes("a: \u00e9\r\nb: 1\r\n".encode(encoding))
    assert read_yaml(yaml_text(path), "a.yaml")[0] == {"a": "\u00e9", "b": 1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: 1".encode("utf-16-le"), "Is the file UTF-16?"),
        (b"\xff\xfea\x00:\x00\x00", "is not UTF-16"),
        (b"a: \xe9", "byte 3 is not UTF-8"),
        (b"a: 1\n" * 400_000, "too many"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, words):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.yaml") as caught:
        load_recipe(str(path))
    assert words in str(caught.value)


def test_a_thousand_unknown_keys_are_refused_in_no_time(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("name: mine\n" + "".join(f"learning_rat{n}: 1\n" for n in range(1000)))
    load = f"training={{{', '.join(f'epoch{n}: 1' for n in range(1000))}}}"
    start = time.process_time()
    with pytest.raises(UserError, match=r"The recipe has 2003 faults:(.|\n)* and 1953 more$"):
        load_recipe(str(path), [load])
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    "override",
    [
        "data.splits={" + "x" * 5000 + ": a}",
        "data.splits.train=" + "x" * 5000,
        "data.source=" + "x/" * 2500,
        'data.source="a\\0b"',
        'data.encoding="utf\\0"',
        "data.separator=''",
        "data.label_separator=''",
        ".".join(["a"] * 5000) + "=1",
        "x" * 5000 + "=1",
        "name=" + "x" * 5000,
        "strategies=[" + "x" * 5000 + "]",
        "training.epochs=" + "9" * 5000,
        "training.seed=0x" + "f" * 90,
    ],
)
def test_hostile_values_are_the_users_error(override, tmp_path):
    Path(tmp_path, "r.yaml").write_text("name: a\ntask: ner\ndata: {source: x.csv}\n")
    with pytest.raises(UserError) as caught:
        validate(str(tmp_path / "r.yaml"), ["model.checkpoint=b", "strategies=full", override])
    assert len(str(caught.value)) < 8000


fragments = st.sampled_from(
    ["a", ":", " ", "\n", "  ", "- ", "[", "]", "{", "}", ",", "&x ", "*x", "!!int ", "!!str ", "|",
     ">", "'", '"', "\\", "#", "%", "@", "\t", "~", "1", ".5", "0x", "<<: ", "? ", "---", "...",
     "!", "\0", "\u2028", "\ud800", "name: ", "task: ner\n", "data: "]
)  # fmt: skip


@given(st.one_of(st.lists(fragments, max_size=40).map("".join), st.text(max_size=60)))
@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_text_is_a_recipe_or_the_users_error(tmp_path, text):
    path = tmp_path / "fuzz.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(UserError):
        load_recipe(str(path))


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner)
    ),
    max_leaves=6,
)
keys = st.sampled_from(
    ["name", "task", "task.types", "data", "data.source", "data.splits", "data.columns", "model",
     "model.layers", "strategies", "strategies.0", "strategies.0.rank", "training",
     "training.class_weights", "training.arguments", "training.schedule_arguments",
     "evaluation.splits", "pretraining", "publish", "x", "data.splits.train"]
)  # fmt: skip


@given(st.lists(st.tuples(keys, values), max_size=3))
@settings(deadline=None, max_examples=100)
def test_any_values_are_a_recipe_or_the_users_error(overrides):
    written = [f"{key}={write_flow(value)}" for key, value in overrides]
    message = ""
    try:
        load_recipe("quickstart-ner", written)
    except UserError as error:
        message = str(error)
    assert "put should" not in message
    assert "pydantic" not in message
