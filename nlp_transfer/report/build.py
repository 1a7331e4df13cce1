"""Predictions and ledgers in, the Report of a run or an evaluation out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from datasets import Dataset

from nlp_transfer.data.raw_words import RawWords
from nlp_transfer.doctor.pieces import is_uncased
from nlp_transfer.models.build import LoadedModel
from nlp_transfer.records import LossLedger, Prediction, Repeats
from nlp_transfer.report.report import Report
from nlp_transfer.report.tables import headline_row
from nlp_transfer.tasks.base import Task

if TYPE_CHECKING:
    from nlp_transfer.training.examples import TaskWindows

SCHEMA = 1
"""Version of metrics.json; other programs read it."""

_OF_A_SIDE = ("task", "splits", "words")
"""Figures that are kept of a task that learned along."""


def run_report(
    tasks: Sequence[TaskWindows],
    predictions: Sequence[Mapping[str, Sequence[Prediction]]],
    training: Mapping[str, Any],
) -> Report:
    """Score what a run has predicted, for its own task and for those that learned along.

    predictions: of each task, by split
    training:    figures of the training
    """
    own, *others = tasks
    sides = {
        task.planned.name: _task_report(task, predicted)
        for task, predicted in zip(others, predictions[1:], strict=True)
    }
    return _task_report(own, predictions[0], training=training, sides=sides)


def _task_report(
    task: TaskWindows, predictions: Mapping[str, Sequence[Prediction]], **more: Any
) -> Report:
    recipe, words = task.recipe, task.raw_words
    splits = recipe.evaluation.splits
    return build_report(
        task=recipe.task,
        recipe=recipe.name,
        rows={split: task.splits[split] for split in splits},
        predictions=predictions,
        ledgers={split: task.data[split].encoded.ledger for split in splits},
        repeats=task.repeats,
        samples=recipe.evaluation.bootstrap,
        notes=[*casing_notes(task.loaded, task.splits["train"]), *_word_notes(words)],
        words=words,
        **more,
    )


def build_report(
    *,
    task: Task,
    recipe: str,
    rows: Mapping[str, Dataset],
    predictions: Mapping[str, Sequence[Prediction]],
    ledgers: Mapping[str, LossLedger],
    repeats: Mapping[str, Repeats],
    samples: int,
    notes: Sequence[str],
    training: Mapping[str, Any] | None = None,
    words: RawWords | None = None,
    sides: Mapping[str, Report] | None = None,
) -> Report:
    """Score every split.

    recipe:  its name
    rows, predictions, ledgers, repeats: by split
    samples: resamples of the bootstrap intervals
    words:   how raw text is split for the model
    sides:   of other tasks that learned along, by name
    """
    splits = {
        split: {
            **task.scores.figures(rows[split], predictions[split], samples=samples),
            "ledger": ledgers[split].as_dict(),
            "repeats": repeats[split].as_dict(),
            **_unseen(task, rows[split], predictions[split], repeats[split], samples=samples),
        }
        for split in predictions
    }
    metrics: dict[str, Any] = {
        "schema": SCHEMA,
        "task": task.name,
        "recipe": recipe,
        "splits": splits,
    }
    if training is not None:
        metrics["training"] = dict(training)
    if words is not None:
        metrics["words"] = words.as_dict()
    if sides:
        metrics["tasks"] = {
            name: {key: side.metrics[key] for key in _OF_A_SIDE if key in side.metrics}
            for name, side in sides.items()
        }
    constant = [
        f"The model predicts {answer} of the {split} split: it has not learned to tell them apart. "
        "Train longer or at another training.learning_rate; nlpt inspect looks at the data."
        for split in predictions
        if (answer := task.scores.constant_answer(rows[split], predictions[split]))
    ]
    if notes or constant:
        metrics["notes"] = [*notes, *constant]
    return Report(metrics)


def _unseen(
    task: Task,
    rows: Dataset,
    predictions: Sequence[Prediction],
    repeats: Repeats,
    *,
    samples: int,
) -> dict[str, Any]:
    """Score the examples that are in no other split, where some are."""
    if not repeats.seen:
        return {}
    seen = frozenset(repeats.seen)
    new = [row for row in range(len(rows)) if row not in seen]
    if not new:
        return {"unseen": {"examples": 0}}
    figures = task.scores.figures(
        rows.select(new), [predictions[row] for row in new], samples=samples
    )
    return {"unseen": {"examples": len(new), **headline_row(figures)[1]}}


def _word_notes(words: RawWords | None) -> list[str]:
    """Say that predictions for raw text will be worse than the figures, where that is likely."""
    if words is None or not words.is_low:
        return []
    found = words.describe()
    return [
        f"{found[0].upper()}{found[1:]}. For raw text expect less than these figures, which are "
        "for the words of the data."
    ]


def casing_notes(loaded: LoadedModel, rows: Dataset) -> list[str]:
    """Say that a checkpoint cannot see capitals where the data has them."""
    if not is_uncased(loaded.tokenizer):
        return []
    column = "words" if "words" in rows.column_names else "text"
    sample = rows[column][:200]
    if all(
        item == item.lower()
        for value in sample
        for item in (value if isinstance(value, list) else [value])
    ):
        return []
    return [
        "The checkpoint is uncased: it cannot see capitals, which names are often known by. "
        "A cased checkpoint may score higher."
    ]
