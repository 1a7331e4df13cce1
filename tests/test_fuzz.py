"""Whatever bytes a file holds, reading it ends in rows or in a UserError; nothing else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loading import load_classification, load_ner

from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

FORMATS = {
    "conll": "train.conll", "jsonl": "train.jsonl", "json": "train.json", "spans": "train.jsonl",
    "csv": "train.csv", "tsv": "train.tsv", "parquet": "train.parquet", "arrow": "train.arrow",
    "label-studio": "train.json", "auto": "train.txt", "packed": "train.conll.gz",
    "brat": "a.ann",
}  # fmt: skip

words = st.text(st.characters(codec="utf-8"), max_size=6)
tags = st.sampled_from(["O", "B-X", "I-X", "E-X", "S-X", "L-X", "B-", "x", "-", "1", "", "o"])
scalars = (
    st.none() | st.booleans() | st.integers(-3, 99) | st.floats() | words
    | st.sampled_from([10**400, -(10**30), 1e308, "9" * 5000, "--5", "1.", "1e999", "\u0663", "."])
)  # fmt: skip
# Labels as fields of tables hold them: lists of every notation, whole or not.
labels = st.sampled_from(
    ["[]", "['a', 'b']", '["a"]', "['a' 'b']", "[1 0 0]", "[1. 0.]", "(1,", "array([])", "{'a'}",
     "[" * 300, "[" * 300 + "]" * 300, "a|b", "a,b", "a", "-1", "-1.0", "1.0", "0.5", "1|0|1",
     "[0, 1]", "{}", "[{}]", "('a')", "[None]", "[nan]", "array(1)", "[\\", "['\\ud800']"]
)  # fmt: skip
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
offsets = st.integers(-2, 9)
spans = st.lists(
    st.fixed_dictionaries({"start": offsets, "end": offsets, "label": words})
    | st.tuples(offsets, offsets, words).map(list)
    | values,
    max_size=3,
)
objects = st.fixed_dictionaries(
    {},
    optional={
        "tokens": st.lists(words, max_size=4) | values,
        "tags": st.lists(tags, max_size=4) | values,
        "text": words | values,
        "label": words | labels | spans | values,
        "answer": st.sampled_from(["accept", "reject", "ignore"]) | values,
        "spans": spans | values,
        "id": values,
        "data": st.fixed_dictionaries({}, optional={"text": values, "body": words}) | values,
        "annotation_id": values,
        "annotator": values,
        "annotations": st.lists(
            st.fixed_dictionaries(
                {"result": st.lists(st.fixed_dictionaries(
                    {"type": st.sampled_from(["labels", "choices", "x"]),
                     "value": st.fixed_dictionaries({}, optional={
                         "start": values | offsets, "end": values | offsets, "labels": values,
                         "text": values, "choices": values})},
                    optional={"from_name": values, "to_name": values}) | values,
                    max_size=2) | values},
                optional={"was_cancelled": values, "ground_truth": values},
            ) | values,
            max_size=2,
        ) | values,
    },
)  # fmt: skip

lines = st.lists(
    st.tuples(words, st.sampled_from(["\t", " ", ",", ""]), tags | labels).map("".join)
    | st.sampled_from(
        [
            "T1\tPER 0 3\tAda",
            "T2\tLOC 7 11;0 3\tRome Ada",
            "T3\tX 0 99\tx",
            "T4\tX a b\tc",
            "T5\t",
            "T6\tX " + "9" * 5000 + " 3\tx",
            "R1\tx",
        ]
    )
    | st.sampled_from(["", "\t", "# x = 1", "# newdoc", "-DOCSTART- O", '"', "text,label", "\r"]),
    max_size=8,
).map("\n".join)
documents = (
    st.lists(objects, max_size=4).map(lambda rows: "\n".join(map(json.dumps, rows)))
    | st.lists(objects, max_size=4).map(json.dumps)
    | st.dictionaries(words, st.lists(objects | values, max_size=2), max_size=3).map(json.dumps)
)
contents = (
    st.binary(max_size=60)
    | (lines | documents).map(str.encode)
    | (lines | documents).map(lambda text: text.encode("utf-16"))
    | st.tuples((lines | documents).map(str.encode), st.integers(0, 60), st.binary(max_size=2)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] :]
    )
    | st.sampled_from([b"PAR1", b"ARROW1\0\0", b"PAR1" * 3]).flatmap(
        lambda mark: st.binary(max_size=40).map(lambda rest: mark + rest + mark[:4])
    )
)


def read(path: Path, content: bytes, name: str, options: dict[str, Any]) -> None:
    path.write_bytes(gzip.compress(content) if name == "packed" else content)
    if name == "brat":
        path.with_suffix(".txt").write_bytes(content[::2] if options else b"Ada in Rome\n")
    told = "auto" if name in ("packed", "auto") else name
    data = DataSection(source=str(path), format=told, **options)
    for load in (
        lambda: load_ner(data, held_out=False),
        lambda: load_classification(data, held_out=False),
        lambda: load_classification(data, classes=None, multi_label=True, held_out=False),
    ):
        try:
            splits = load()
        except UserError:
            continue
        assert all(len(splits[split]) for split in splits)


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "misaligned": st.sampled_from(["refuse", "expand", "drop"]),
        "overlapping": st.sampled_from(["refuse", "longest"]),
        "offsets": st.sampled_from(["characters", "utf16", "utf8"]),
        "scheme": st.sampled_from(["auto", "iob1", "iob2", "bioes", "bilou", "io", "none"]),
        "repair": st.booleans(),
        "fold_case": st.booleans(),
        "drop_missing": st.booleans(),
        "header": st.booleans(),
        "quoted": st.booleans(),
        "encoding_errors": st.sampled_from(["strict", "replace"]),
        "label_names": st.sampled_from([("O", "B-X", "I-X"), ("a", "b"), ("1",)]),
        "columns": st.sampled_from(
            [{"text": "body"}, {"label": "answer"}, {"text": 0, "label": 1}]
        ),
    },
)


def fuzz(name: str, folder: Path, cases: int) -> None:
    @settings(
        max_examples=cases,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(content=contents, options=OPTIONS)
    def run(content: bytes, options: dict[str, Any]) -> None:
        read(folder / FORMATS[name], content, name, options)

    check: Callable[[], None] = run
    check()


_REGION = {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}
_RESULTS = [
    {"type": "labels", "from_name": "label", "to_name": "text", "value": _REGION},
    {"type": "choices", "from_name": "mood", "to_name": "text", "value": {"choices": ["a"]}},
]
RIGHT: dict[str, Any] = {
    "label-studio": {
        "id": 1,
        "data": {"text": "Ada left", "body": "x y"},
        "annotations": [{"completed_by": 2, "was_cancelled": False, "result": _RESULTS}],
    },
    "label-studio-min": {"id": 1, "text": "Ada left", "label": [_REGION], "annotator": 1,
                         "annotation_id": 2, "mood": {"choices": ["a", "b"]}},
    "doccano": {"id": 1, "data": "Ada left", "label": [[0, 3, "PER"]]},
    "prodigy": {"text": "Ada left", "tokens": [{"text": "Ada", "start": 0, "end": 3, "id": 0}],
                "spans": [{"start": 0, "end": 3, "token_start": 0, "label": "PER"}],
                "label": "a", "answer": "accept"},
    "words": {"tokens": ["Ada", "left"], "tags": ["B-PER", "O"], "id": "x", "document": "y"},
    "texts": {"text": "Ada", "text_pair": "b", "label": ["a", "b"], "id": 1},
}  # fmt: skip
HOSTILE = (
    None, True, -1, 10**30, 0.5, float("nan"), "", "\u200b", "x" * 3000, [], {}, [None], [[]], [{}],
    {"x": 1}, ["x"], [["x"]], "[1, 0]", [0, 1], [10**400], "\n", {"start": 0}, [[0, 3]],
    [["0", 3, 1]],
)  # fmt: skip


def changed(value: Any, other: Any) -> Iterator[Any]:
    """Yield a value with each part of it replaced, and with each part left out."""
    yield other
    parts = list(value.items() if isinstance(value, dict) else enumerate(value)) if isinstance(
        value, dict | list
    ) else []  # fmt: skip
    for key, part in parts:
        for new in changed(part, other):
            copy = value.copy()
            copy[key] = new
            yield copy
        copy = value.copy()
        del copy[key]
        yield copy


def change_all(tool: str, path: Path, every: int) -> None:
    """Read a right file with one part after the other changed, or only each so-manieth change."""
    right = RIGHT[tool]
    items = (item for other in HOSTILE for item in changed(right, other))
    for number, item in enumerate(islice(items, None, None, every)):
        content = json.dumps([right, item] if tool.startswith("label") else [item]).encode()
        changes = {"drop_missing": True, "misaligned": "drop", "columns": {"text": "body"}}
        read(path, content, "auto", changes if number % 2 else {})


@pytest.mark.parametrize("tool", RIGHT)
def test_one_wrong_value_in_a_right_file_ends_in_rows_or_in_a_user_error(tool, tmp_path):
    change_all(tool, tmp_path / "train.json", 17)


@pytest.mark.slow
@pytest.mark.parametrize("tool", RIGHT)
def test_any_wrong_value_in_a_right_file_ends_in_rows_or_in_a_user_error(tool, tmp_path):
    change_all(tool, tmp_path / "train.json", 1)


@pytest.mark.parametrize("name", FORMATS)
def test_any_content_ends_in_rows_or_in_a_user_error(name, tmp_path):
    fuzz(name, tmp_path, 100)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_any_content_ends_in_rows_or_in_a_user_error_2000_times(name, tmp_path):
    fuzz(name, tmp_path, 2000)
