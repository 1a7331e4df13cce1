"""Predictions and ledgers in, the Report of a run or an evaluation out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from datasets import Dataset

from nlp_transfer.data.raw_words import RawWords
from nlp_transfer.doctor.finding import counted
from nlp_transfer.doctor.pieces import is_uncased
from nlp_transfer.models.build import LoadedModel
from nlp_transfer.recipe import Recipe, Section
from nlp_transfer.records import LossLedger, Prediction, Repeats, Splits
from nlp_transfer.report.report import Fact, Report, SplitReport, Unseen
from nlp_transfer.tasks.analysis import Analysis
from nlp_transfer.tasks.base import Task

if TYPE_CHECKING:
    from nlp_transfer.training.examples import TaskWindows

_SAMPLE = 200
"""Rows that are looked at for capitals."""


def score(
    tasks: Sequence[TaskWindows],
    predictions: Sequence[Mapping[str, Sequence[Prediction]]],
    training: Mapping[str, Fact],
    *,
    before: Path,
) -> Report:
    """Score what a run has predicted, for its own task and for those that learned along.

    predictions: of each task, by split
    training:    figures of the training
    before:      folder of the round before it, if it has one
    """
    reports = [
        _task_report(task, by_split) for task, by_split in zip(tasks, predictions, strict=True)
    ]
    sides = {task.planned.name: of for task, of in zip(tasks[1:], reports[1:], strict=True)}
    return replace(
        reports[0],
        training={**training, **_earlier_seconds(before)},
        tasks=sides,
        notes=(*reports[0].notes, *_training_notes(training)),
    )


def _training_notes(training: Mapping[str, Fact]) -> Iterator[str]:
    """Say what a reader must know of how the model has learned."""
    if "ended_by" in training:
        yield (
            f"{training['ended_by']} ended the training after {training['steps']:,} of "
            f"{training['planned_steps']:,} steps (epoch {training['epochs']:.3g} of "
            f"{training['planned_epochs']:.3g}): the figures are of the best model until then."
        )
    if "diverged_at_step" in training:
        went_on = "came back later" if training["came_back"] == "yes" else "did not come back"
        yield (
            f"Training diverged at step {training['diverged_at_step']:,} (log.jsonl shows its loss "
            f"and gradient norm) and {went_on}. A lower training.learning_rate may score higher."
        )


def _earlier_seconds(run: Path) -> Mapping[str, Fact]:
    """Count what all rounds before a run took to train: its own `seconds` leave them out."""
    file = run / "metrics.json"
    if not file.is_file():
        return {}
    said = json.loads(file.read_text("utf-8"))["training"]
    return {"earlier_rounds_seconds": said["seconds"] + said.get("earlier_rounds_seconds", 0)}


def _task_report(task: TaskWindows, predictions: Mapping[str, Sequence[Prediction]]) -> Report:
    recipe, words = task.recipe, task.raw_words
    report = build_report(
        recipe,
        task.splits,
        predictions=predictions,
        ledgers={split: task.data[split].encoded.ledger for split in predictions},
        repeats=task.repeats,
        notes=[
            *casing_notes(recipe.task, task.loaded, task.splits["train"]),
            *_word_notes(words),
            *_subset_notes(task),
        ],
    )
    return replace(report, words=words)


def build_report(
    recipe: Recipe[Task, Section],
    splits: Splits,
    *,
    predictions: Mapping[str, Sequence[Prediction]],
    ledgers: Mapping[str, LossLedger],
    repeats: Mapping[str, Repeats],
    notes: Sequence[str],
) -> Report:
    """Score every split that there are predictions for.

    splits: as training has seen them, where it has
    predictions, ledgers, repeats: by split
    """
    task, samples = recipe.task, recipe.evaluation.bootstrap
    rows = {split: splits[split] for split in predictions}
    reports = {
        split: SplitReport(
            task.scores.figures(rows[split], predictions[split], samples=samples),
            ledgers[split],
            repeats[split],
            _unseen(task, rows[split], predictions[split], repeats[split], samples=samples),
            _analysis(recipe, splits, split, predictions[split]),
            task.confidence.figures(rows[split], predictions[split]) if task.confidence else None,
        )
        for split in predictions
    }
    constant = [
        f"The model predicts {answer} of the {split} split: it has not learned to tell them apart. "
        "Train longer, at another training.learning_rate or by other strategies; nlpt inspect "
        "looks at the data."
        for split in predictions
        if (answer := task.scores.constant_answer(rows[split], predictions[split]))
    ]
    return Report(task, recipe.name, reports, notes=(*notes, *constant))


def _analysis(
    recipe: Recipe[Task, Section], splits: Splits, split: str, predictions: Sequence[Prediction]
) -> Analysis | None:
    """Look where the predictions of a split fail, if the task can."""
    if (look := recipe.task.error_analysis) is None:
        return None
    return look.analyse(
        splits[split],
        predictions,
        train=splits.datasets.get("train"),
        columns=recipe.data.slices,
        samples=recipe.evaluation.bootstrap,
    )


def _unseen(
    task: Task, rows: Dataset, predictions: Sequence[Prediction], repeats: Repeats, *, samples: int
) -> Unseen | None:
    """Score the examples that are in no other split, where some are."""
    if not repeats.seen:
        return None
    seen = frozenset(repeats.seen_rows)
    new = [row for row in range(len(rows)) if row not in seen]
    if not new:
        return Unseen(0, None)
    figures = task.scores.figures(
        rows.select(new), [predictions[row] for row in new], samples=samples
    )
    return Unseen(len(new), figures.headline)


def _word_notes(words: RawWords | None) -> list[str]:
    """Say that predictions for raw text will be worse than the figures, where that is likely."""
    if words is None or not words.is_low:
        return []
    found = words.describe()
    return [
        f"{found[0].upper()}{found[1:]}. For raw text expect less than these figures, which are "
        "for the words of the data."
    ]


def _subset_notes(task: TaskWindows) -> list[str]:
    """Say that a run was not let learn from all there is."""
    left_out = task.splits.losses.get("train", LossLedger()).examples_left_out
    if not left_out:
        return []
    count = task.recipe.data.train_examples or 0
    examples = counted(count + left_out, f"training {task.recipe.task.rows.nouns.example}")
    return [f"Learned from {count:,} of {examples} (data.train_examples)."]


def casing_notes(task: Task, loaded: LoadedModel, rows: Dataset) -> list[str]:
    """Say that a checkpoint cannot see capitals where the data has them."""
    if not is_uncased(loaded.tokenizer):
        return []
    sample = rows.select(range(min(_SAMPLE, len(rows))))
    if all(text == text.lower() for texts in task.rows.texts(sample) for text in texts):
        return []
    return [
        "The checkpoint is uncased: it cannot see capitals, which names are often known by. "
        "A cased checkpoint may score higher."
    ]
