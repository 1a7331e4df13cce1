"""Labelled rows and what is predicted for them in, what is right of each out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.metrics.outcomes import Outcomes
from nlp_transfer.records import Prediction
from nlp_transfer.tasks.base import Task

if TYPE_CHECKING:
    from datasets import Dataset


def outcomes_of(task: Task, rows: Dataset, predictions: Sequence[Prediction]) -> Outcomes | None:
    """Judge the predictions of a split as if they were read from predictions.jsonl.

    returns: None for a task that has no `Judge`
    """
    judge = task.judge
    if judge is None:
        return None
    lines = (task.results.example(*pair) for pair in zip(iterate(rows), predictions, strict=True))
    judged = (judge.judge(line, "") for line in lines)
    return Outcomes.of(task.scores.headline, judge.average, judged)
