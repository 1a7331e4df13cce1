"""What a study has found: its rows side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nlp_transfer.studies.contenders import Compared, compare_with_best
from nlp_transfer.studies.journal import Trials, count_ended, is_running, problem
from nlp_transfer.studies.learning_curve import LearningCurve
from nlp_transfer.studies.plan import Run
from nlp_transfer.studies.results import RowResult, read_rows
from nlp_transfer.studies.sizes import learning_curves
from nlp_transfer.studies.study import Study


@dataclass(frozen=True, repr=False)
class StudyResult:
    """What a study has found."""

    recipe: str
    figure: str
    """The headline of the task, a fraction."""
    rows: tuple[RowResult, ...]
    planned: int
    """Runs of a grid, or trials of a search, that the plan has."""
    done: int
    """How many of them have ended."""
    is_search: bool = False
    is_running: bool = False
    """Whether somebody is at work on a run."""
    best: str | None = None
    compared: Compared | None = None
    """None: not yet."""
    curves: Mapping[str, LearningCurve] = field(default_factory=dict)
    """How scores grow with the training data, by what else is varied ("recipe": nothing)."""
    untested: Mapping[str, str] = field(default_factory=dict)
    """Why a run could not be scored on the test split, by its name."""

    @property
    def finished(self) -> list[RowResult]:
        """Rows that can be set beside each other."""
        return [row for row in self.rows if row.is_finished]

    @property
    def chosen(self) -> RowResult | None:
        """The best row."""
        return next((row for row in self.rows if row.name == self.best), None)

    def to_test(self, *, every_row: bool) -> list[Run]:
        """List the runs whose models are to be scored on the test split; none before the end."""
        ended = self.done >= self.planned or (self.is_search and not self.is_running)
        chosen = self.finished if every_row else [self.chosen] if self.chosen else []
        return [run for row in chosen for run in row.runs] if ended else []

    @property
    def failed(self) -> list[RowResult]:
        """Rows of which a run has failed."""
        return [row for row in self.rows if row.state.startswith("failed")]

    @property
    def pareto(self) -> list[str]:
        """Name the rows that no other beats in both the validation mean and seconds."""
        return [row.name for row in self.finished if not _is_beaten(row, self.finished)]

    def __repr__(self) -> str:
        """Name the best row; `rows` has all of them."""
        found = f"best {self.best}" if self.best else "no row is finished"
        return f"<Study of {self.recipe}: {self.done} of {self.planned} runs done; {found}>"

    def as_dict(self) -> dict[str, Any]:
        """Write study.json."""
        return {
            "figure": self.figure,
            "rows": [row.as_dict() for row in self.rows],
            "best": self.best,
            "not_distinguishable": list(self.compared.alike) if self.compared else [],
            "pareto": self.pareto,
            "configurations": len(self.rows),
            "planned": self.planned,
            "done": self.done,
            **self._curves(),
        }

    def _curves(self) -> dict[str, Any]:
        found = {name: curve.as_dict() for name, curve in self.curves.items()}
        if not found:
            return {}
        return {"learning_curve": next(iter(found.values())) if len(found) == 1 else found}


def find(study: Study, *, compare: bool = False) -> StudyResult:
    """Read what a study has found so far.

    compare: tell which rows cannot be told from the best, which takes a while
    """
    trials = study.runs.trials()
    rows = read_rows(study)
    best = _best(rows)
    compared = compare_with_best(study.folder, best, rows) if best and compare else None
    return StudyResult(
        recipe=study.recipe.name,
        figure=study.recipe.task.scores.headline,
        rows=tuple(rows),
        planned=study.planned,
        done=count_ended(trials),
        is_search=bool(study.plan.trials),
        is_running=is_running(trials),
        best=best.name if best else None,
        compared=compared,
        curves=learning_curves(study.folder, rows),
        untested=_problems(study.tests.trials()),
    )


def _best(rows: Iterable[RowResult]) -> RowResult | None:
    """Choose the finished row with the highest validation mean, the first of equal ones."""
    finished = [row for row in rows if row.is_finished]
    ranked = sorted(finished, key=lambda row: -row.validation.mean if row.validation else 0)
    return ranked[0] if ranked else None


def _problems(trials: Trials) -> dict[str, str]:
    return {name: told for name, trial in trials.items() if (told := problem(trial))}


def _is_beaten(row: RowResult, others: Iterable[RowResult]) -> bool:
    def figures(one: RowResult) -> tuple[float, float]:
        assert one.validation is not None
        return one.validation.mean, -(one.seconds or 0)

    mine = figures(row)
    return any(
        theirs != mine and all(their >= own for their, own in zip(theirs, mine, strict=True))
        for theirs in map(figures, others)
    )
