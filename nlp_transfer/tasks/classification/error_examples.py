"""Lines of predictions.jsonl in, texts with gold and predicted labels to look through out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from nlp_transfer.shown import Answer, Example, Examples
from nlp_transfer.tasks.analysis_examples import ExampleSelection
from nlp_transfer.tasks.classification.slices import whole_text


def predicted_labels(line: Mapping[str, Any]) -> list[str]:
    """Return the predicted labels of a line of predictions.jsonl."""
    if "labels" in line:
        return list(line["labels"])
    return [] if line["label"] is None else [line["label"]]


def error_kinds(gold: Sequence[str], predicted: Sequence[str]) -> tuple[str, ...]:
    """Name what is wrong with the labels of a text; nothing where they are right."""
    missed, spurious = {*gold} - {*predicted}, {*predicted} - {*gold}
    if len(gold) == len(predicted) == 1:
        return ("wrong label",) if missed else ()
    kinds = {"missed label": missed, "spurious label": spurious}
    return tuple(name for name, labels in kinds.items() if labels)


def example_of(number: int, line: Mapping[str, Any]) -> Example:
    """Show a line of predictions.jsonl.

    number: of the line, from 1
    """
    gold, predicted, scores = line["gold"], predicted_labels(line), line.get("scores") or {}
    return Example(
        number=number,
        text=whole_text(line),
        answers=(
            # What the model gave the gold label says how far off it was.
            Answer("gold", labels=tuple((name, scores.get(name)) for name in gold)),
            Answer("predicted", labels=tuple((name, scores.get(name)) for name in predicted)),
        ),
        kinds=error_kinds(gold, predicted),
        types=tuple(sorted({*gold, *predicted})),
        where=line.get("where") or "",
    )


def examples_of(lines: Iterable[Mapping[str, Any]]) -> Examples:
    """Show the texts of predictions.jsonl, as many as a page can hold."""
    selection = ExampleSelection()
    for number, line in enumerate(lines, 1):
        wrong = bool(error_kinds(line["gold"], predicted_labels(line)))
        selection.add(partial(example_of, number, line), wrong=wrong)
    return selection.chosen()
