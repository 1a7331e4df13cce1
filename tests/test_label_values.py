"""Labels of texts as files write them: each a class, several, or refused; alike in any format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loading import load_classification

from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

Loaded = tuple[tuple[str, ...], list[Any]]
Load = Callable[..., Loaded]


def as_csv(labels: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([["text", "label"], *([f"t{n}", v] for n, v in enumerate(labels))])
    return text.getvalue()


def as_jsonl(labels: list[Any]) -> str:
    rows = ({"text": f"t{number}", "label": value} for number, value in enumerate(labels))
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


WRITERS = {"csv": as_csv, "jsonl": as_jsonl}


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write labels to a file, and return the classes and the labels of its rows."""

    def run(
        kind: str, labels: list[Any], *, classes: Any = None, multi: bool = False, **data: Any
    ) -> Loaded:
        path = tmp_path / f"train.{kind}"
        path.write_text(WRITERS[kind](labels), encoding="utf-8")
        section = DataSection(source=str(path), **data)
        splits = load_classification(section, classes=classes, multi_label=multi, held_out=False)
        return splits.labels, list(splits["train"]["labels"])

    return run


def refused(load: Load, *arguments: Any, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        load(*arguments, **options)
    return str(caught.value)


BOTH = pytest.mark.parametrize("kind", WRITERS)
MULTI_HOT = [[0, 0, 1], [1, 0, 0], [0, 0, 0], [1, 1, 0]]


@pytest.mark.parametrize("write", [lambda bits: bits, str, lambda bits: str(bits).replace(",", ""),
                                   lambda bits: "|".join(map(str, bits)),
                                   lambda bits: [float(bit) for bit in bits],
                                   lambda bits: [bit == 1 for bit in bits]])  # fmt: skip
def test_multi_hot_lists_are_classes_by_position(load: Load, write: Callable[[Any], Any]) -> None:
    labels = [write(bits) for bits in MULTI_HOT]
    names = ("joy", "anger", "fear")
    found = load("jsonl", labels, multi=True, label_names=names)
    assert found == (names, [["fear"], ["joy"], [], ["anger", "joy"]])
    says = refused(load, "jsonl", labels, multi=True)
    assert ":1: " in says
    assert "data.label_names=[NAME1, NAME2, NAME3]" in says


def test_multi_hot_lists_of_a_single_label_task_name_both_options(load: Load) -> None:
    says = refused(load, "jsonl", MULTI_HOT)
    assert "task.multi_label=true" in says
    assert "data.label_names" in says


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c", "d")])
def test_multi_hot_lists_of_another_length_than_the_names_are_refused(
    load: Load, names: tuple[str, ...]
) -> None:
    assert "0 or 1 for 3 classes" in refused(load, "jsonl", MULTI_HOT, multi=True,
                                             label_names=names)  # fmt: skip


def test_lists_of_two_bits_are_never_guessed(load: Load) -> None:
    assert "data.label_names=[NAME1, NAME2]" in refused(load, "jsonl", [[0, 1], [1, 0]], multi=True)
    two = load("jsonl", [[0, 1], [1, 0], []], multi=True, label_names=("a", "b"))
    assert two[1] == [["b"], ["a"], []]
    numbers = [[0, 1], [2], [0]]
    assert load("jsonl", numbers, multi=True)[1] == [["0", "1"], ["2"], ["0"]]
    named = load("jsonl", numbers, multi=True, label_names=("a", "b", "c"))
    assert named[1] == [["a", "b"], ["c"], ["a"]]
    mixed = refused(load, "jsonl", [[0, 1], [1]], multi=True, label_names=("a", "b"))
    assert "two classes, or a no and a yes" in mixed


@pytest.mark.parametrize(
    "cells",
    [
        ["['joy', 'anger']", "['joy']", "[]"],
        ['["joy", "anger"]', '["joy"]', "[]"],
        ["['joy' 'anger']", "['joy']", "[]"],
        ["('joy', 'anger')", "('joy',)", "()"],
        ["{'joy', 'anger'}", "{'joy'}", "{}"],
        ["[joy, anger]", "[joy]", "[ ]"],
        ["array(['joy', 'anger'], dtype=object)", "array(['joy'])", "array([])"],
        ["joy|anger", "joy", ""],
        ["joy | anger", " joy ", " "],
    ],
)
def test_lists_in_fields_are_lists(load: Load, cells: list[str]) -> None:
    assert load("csv", cells, multi=True) == (
        ("anger", "joy"), [["anger", "joy"], ["joy"], []],
    )  # fmt: skip


def test_lists_in_fields_of_a_single_label_task_name_the_option(load: Load) -> None:
    for cell in ("['joy', 'anger']", '["joy", "anger"]', "[]", "[joy, anger]"):
        assert "task.multi_label=true" in refused(load, "csv", ["x", cell])
    assert load("csv", ["['joy']", "[x]", "(y)"])[0] == ("(y)", "[x]", "joy")


@pytest.mark.parametrize("mark", [",", ";", ", "])
def test_labels_joined_by_another_separator_are_refused_with_it(load: Load, mark: str) -> None:
    cells = [f"joy{mark}anger", "joy", "fear"]
    says = refused(load, "csv", cells, multi=True)
    assert f'data.label_separator="{mark.strip()}"' in says
    separated = load("csv", cells, multi=True, label_separator=mark.strip())
    assert separated[0] == ("anger", "fear", "joy")
    declared = (f"joy{mark}anger", "joy", "fear")
    assert load("csv", cells, multi=True, classes=declared)[0] == declared
    assert load("csv", [f"food{mark}drink", "home"], multi=True)[0] == (f"food{mark}drink", "home")


def test_an_empty_field_is_no_label_also_where_missing_labels_are_left_out(load: Load) -> None:
    assert load("csv", ["joy", "", "fear"], multi=True, drop_missing=True)[1] == [
        ["joy"], [], ["fear"],
    ]  # fmt: skip
    assert "task.multi_label=true" in refused(load, "csv", ["joy", "", "fear"])


SCORES = [0.5, 1.0, 4.5, 2.25, 3.0]


@BOTH
def test_scores_are_no_classes_unless_they_are_declared(load: Load, kind: str) -> None:
    says = refused(load, kind, SCORES)
    assert "numbers with fractions" in says
    assert "task.classes=[" in says
    whole = "1.0" if kind == "csv" else "1"
    declared = ("0.5", whole, "2.25", whole.replace("1", "3"), "4.5")
    assert load(kind, SCORES, classes=declared)[0] == declared


@BOTH
def test_whole_numbers_are_the_same_classes_in_any_format(load: Load, kind: str) -> None:
    for labels in ([1, 2, 10], [1.0, 2.0, 10.0]):
        assert load(kind, labels) == (("1", "2", "10"), [["1"], ["2"], ["10"]])
    named = load(kind, [1.0, 0.0], label_names=("no", "yes"))
    assert named[1] == [["yes"], ["no"]]


@BOTH
def test_section_numbers_are_text(load: Load, kind: str) -> None:
    labels = ["1.1", "1.2", "1.10", "1.0"]
    assert load(kind, labels)[1] == [[label] for label in labels]


@BOTH
def test_minus_one_hides_a_label_or_is_the_opposite_of_one(
    load: Load, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert load(kind, [0, 1, -1], label_names=("no", "yes"))[1] == [["no"], ["yes"], None]
    assert load(kind, [0, 1, 2, -1])[1] == [["0"], ["1"], ["2"], None]
    assert not caplog.records
    assert load(kind, [0, 1, -1])[1] == [["0"], ["1"], ["-1"]]
    assert "data.label_names" in caplog.text
    kept = load(kind, [0, 1, -1], label_names=("no", "yes"), drop_missing=True)
    assert kept[1] == [["no"], ["yes"]]


def test_a_split_of_minus_one_alone_is_unlabelled(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\na,0\nb,1\n")
    (tmp_path / "test.csv").write_text("text,label\nc,-1\nd,-1\n")
    data = DataSection(source=str(tmp_path))
    splits = load_classification(data, held_out=False)
    assert list(splits["test"]["labels"]) == [None, None]
    assert splits.labels == ("0", "1")


PRODIGY = [
    {"text": "a", "label": "X", "answer": "accept"},
    {"text": "b", "label": "X", "answer": "reject"},
    {"text": "c", "label": "Y", "answer": "Ignore"},
    {"text": "d", "label": "Y", "answer": "accept"},
]


def test_rejected_and_ignored_answers_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in PRODIGY))
    data = DataSection(source=str(path))
    splits = load_classification(data, held_out=False)
    assert list(splits["train"]["labels"]) == [["X"], ["Y"]]
    assert splits.losses["train"].examples_dropped == 2
    asked = DataSection(source=str(path), columns={"label": "answer"})
    answers = load_classification(asked, held_out=False)
    assert answers.labels == ("Ignore", "accept", "reject")


# --- what stands in cells ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cells",
    [
        ["{'joy', 'anger'}", "{'joy'}", "set()"],
        ["frozenset({'joy', 'anger'})", "frozenset({'joy'})", "frozenset()"],
        ["Index(['joy', 'anger'], dtype='object')", "Index(['joy'])", "Index([])"],
        ["[joy; anger]", "[joy]", "[]"],
        ["[‘joy’, ‘anger’]", "[“joy”]", "[]"],
        ['{"choices":["joy","anger"]}', "joy", ""],
    ],
)
def test_every_spelling_of_a_list_in_a_cell_is_a_list(load: Load, cells: list[str]) -> None:
    assert load("csv", cells, multi=True)[1] == [["anger", "joy"], ["joy"], []]
    assert "task.multi_label=true" in refused(load, "csv", cells)


@pytest.mark.parametrize("multi", [True, False])
@pytest.mark.parametrize(
    "cell", ["{'joy': 1, 'anger': 0}", "['joy', 'ang", "[" * 5000, "[" * 900 + "]" * 900]
)
def test_what_begins_like_a_list_is_never_a_class(load: Load, cell: str, multi: bool) -> None:
    message = refused(load, "csv", [cell, "joy"], multi=multi)
    assert len(message) < 2500


@pytest.mark.parametrize(
    "cells", [["1 0 1", "0 1 0"], ["1,0,1", "0,1,0"], ["tensor([1, 0, 1])", "tensor([0, 1, 0])"]]
)
def test_a_yes_or_no_for_each_class_in_a_cell_needs_names(load: Load, cells: list[str]) -> None:
    assert "data.label_names=[" in refused(load, "csv", cells, multi=True)
    assert "data.label_names=[" in refused(load, "csv", cells)
    _, found = load("csv", cells, multi=True, label_names=["a", "b", "c"])
    assert found == [["a", "c"], ["b"]]


@pytest.mark.parametrize("counts", [[2, 0, 0], [1, -1, -1], [0.5, 0.5]])
def test_a_number_for_each_class_is_no_list_of_classes(load: Load, counts: list[Any]) -> None:
    assert "a number for each class" in refused(load, "jsonl", [counts, [1, 2]], multi=True)


@BOTH
def test_minus_one_is_spoken_of_only_where_it_is(
    load: Load, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    load(kind, [0, 1, 0, 1])
    assert not caplog.records
    assert load(kind, [-1.0, 0.0, 1.0, 2.0])[1] == [None, ["0"], ["1"], ["2"]]
    assert load(kind, [-1, 1])[0] == ("-1", "1")
    assert "-1 is read as a class" in caplog.text


@pytest.mark.parametrize("scores", [["0.50", "0.75", "1.00"], ["0.10", "0.20", "0.35"]])
def test_scores_of_a_fixed_width_are_numbers(load: Load, scores: list[str]) -> None:
    message = refused(load, "csv", scores)
    assert "Scores cannot be classified" in message
    assert set(load("csv", scores, classes=tuple(scores))[0]) == set(scores)
