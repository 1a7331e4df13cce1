"""Rows that learn from more and more examples, and the curves that they lie on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from nlp_transfer.recipe.reader import variants
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.studies.folder import StudyFolder
from nlp_transfer.studies.learning_curve import LearningCurve, learning_curve
from nlp_transfer.studies.plan import SIZES, Plan, name_of
from nlp_transfer.studies.results import RowResult


def check_sizes(plan: Plan, recipe: AnyRecipe) -> None:
    """Refuse sizes that a training split does not have, before they are rows of a study.

    raises: UserError that says how many examples there are
    """
    largest: dict[str, dict[str, JsonValue]] = {}
    for row in plan.rows:
        data = {key: value for key, value in row.settings.items() if key.startswith("data.")}
        size = data.pop(SIZES, None)
        known = largest.get(name_of(data), {}).get(SIZES, 0)
        if isinstance(size, int) and isinstance(known, int) and size > known:
            largest[name_of(data)] = {**data, SIZES: size}
    for varied in variants(recipe, list(largest.values())):
        varied.task.rows.load(varied.data)


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
