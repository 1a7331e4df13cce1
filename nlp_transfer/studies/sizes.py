"""Rows that learn from more and more examples, and the curves that they lie on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.studies.folder import StudyFolder
from nlp_transfer.studies.learning_curve import LearningCurve, learning_curve
from nlp_transfer.studies.plan import SIZES, name_of
from nlp_transfer.studies.results import RowResult


def learning_curves(folder: StudyFolder, rows: Sequence[RowResult]) -> dict[str, LearningCurve]:
    """Fit a curve for each combination of what is varied beside the size."""
    runs: dict[str, dict[int, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        settings = dict(row.row.settings)
        if SIZES not in settings:
            continue
        size = settings.pop(SIZES)
        for run in map(folder.run, row.runs):
            learned = size if isinstance(size, int) else _all_of(run)
            runs[name_of(settings)][learned].append(run.read_json("metrics.json"))
    return {name: learning_curve(by_size) for name, by_size in runs.items()}


def _all_of(run: RunFolder) -> int:
    """Return how many examples a run has learned from that has learned from all."""
    return int(run.read_json("data.json")["splits"]["train"]["examples"])
