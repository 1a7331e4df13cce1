"""Predictions and ledgers in, the Report of a run or an evaluation out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset

from nlp_transfer.data.doctor.pieces import is_uncased
from nlp_transfer.records import LossLedger, Prediction, Report
from nlp_transfer.tasks.base import LoadedModel, Task

SCHEMA = 1
"""Version of metrics.json; other programs read it."""


def build_report(
    *,
    task: Task,
    recipe: str,
    rows: Mapping[str, Dataset],
    predictions: Mapping[str, Sequence[Prediction]],
    ledgers: Mapping[str, LossLedger],
    samples: int,
    notes: Sequence[str],
    training: Mapping[str, Any] | None = None,
) -> Report:
    """Score every split.

    recipe:  its name
    rows, predictions, ledgers: by split
    samples: resamples of the bootstrap intervals
    """
    splits = {
        split: {
            **task.score(rows[split], predictions[split], samples=samples),
            "ledger": ledgers[split].as_dict(),
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
    if notes:
        metrics["notes"] = list(notes)
    return Report(metrics)


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
