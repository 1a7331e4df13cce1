"""What has become of each configuration of a study, from its journal and its run folders."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from nlp_transfer.report.report import Report
from nlp_transfer.studies.folder import StudyFolder
from nlp_transfer.studies.journal import problem
from nlp_transfer.studies.plan import Row, Run
from nlp_transfer.studies.study import Study


@dataclass(frozen=True)
class Spread:
    """A figure over seeds."""

    mean: float
    sd: float | None
    """Of a sample; None for one seed alone."""

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Summarise values; None where there are none."""
        if not values:
            return None
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)

    def as_dict(self) -> dict[str, float | None]:
        return {"mean": self.mean, "sd": self.sd}

    def __str__(self) -> str:
        return f"{self.mean:.4f}" + ("" if self.sd is None else f" ± {self.sd:.4f}")


@dataclass(frozen=True)
class RowResult:
    """What has become of a configuration."""

    row: Row
    state: str
    """finished, unfinished, "pruned at epoch 2" or "failed: ..."."""
    seeds: tuple[int, ...] = ()
    """Of the runs that are finished."""
    validation: Spread | None = None
    test: Spread | None = None
    seconds: float | None = None
    """Of training, the mean of its runs."""
    peak_mb: float | None = None
    """The most of its runs."""
    trainable_parameters: int | None = None
    stopped_at_epoch: float | None = None
    """Where the time of a search did not last for all of its epochs."""

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def runs(self) -> list[Run]:
        """Those that are finished."""
        return [Run(self.row, seed) for seed in self.seeds]

    @property
    def is_finished(self) -> bool:
        """Whether it can be set beside others."""
        return self.state == "finished" and self.validation is not None

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "settings": dict(self.row.settings),
            "seeds": list(self.seeds),
            "validation": self.validation and self.validation.as_dict(),
            "test": self.test and self.test.as_dict(),
            "seconds": self.seconds,
            "peak_mb": self.peak_mb,
            "trainable_parameters": self.trainable_parameters,
            "state": self.state,
            "stopped_at_epoch": self.stopped_at_epoch,
        }


def read_rows(study: Study) -> list[RowResult]:
    """Read what has become of every row, from the journal and the run folders."""
    plan = study.plan
    by_row: dict[str, list[FrozenTrial]] = {}
    for trial in study.runs.trials().values():
        by_row.setdefault(trial.user_attrs["row"], []).append(trial)
    rows = {row.name: row for row in plan.rows}
    for name, of_row in by_row.items():
        rows.setdefault(name, Row(name, of_row[0].user_attrs["settings"]))
    return [
        _row_result(study.folder, [Run(row, seed) for seed in plan.seeds], by_row.get(name, []))
        for name, row in rows.items()
    ]


def _row_result(
    folder: StudyFolder, runs: Sequence[Run], trials: Sequence[FrozenTrial]
) -> RowResult:
    """Read what has become of the runs of one row."""
    ended = {run.seed: report for run in runs if (report := folder.finished(run))}
    state = _state(trials, ended, len(runs))
    values = [headline_of(report, "validation") for report in ended.values()]
    if state.startswith("pruned"):  # what it had reached, not what its run would have come to
        values = [trials[0].value] if trials[0].value is not None else []
    tested = [folder.tested(run) for run in runs]
    training = [report.training or {} for report in ended.values()]
    seconds, peaks = _figures(training, "seconds"), _figures(training, "peak_mb")
    learned = _figures(training, "trainable_parameters")
    return RowResult(
        runs[0].row,
        state,
        tuple(ended),
        Spread.of(values),
        Spread.of([headline_of(report, "test") for report in tested if report]),
        round(statistics.fmean(seconds), 2) if seconds else None,
        max(peaks, default=None),
        int(learned[0]) if learned else None,
        next((one.user_attrs.get("stopped_at_epoch") for one in trials), None),
    )


def headline_of(report: Report, split: str) -> float:
    """Return the figure of a split that counts."""
    return report.splits[split].figures.headline.value


def _figures(training: Iterable[Mapping[str, object]], key: str) -> list[float]:
    found = [facts.get(key) for facts in training]
    return [float(value) for value in found if isinstance(value, int | float)]


def _state(trials: Sequence[FrozenTrial], ended: Collection[int], wanted: int) -> str:
    """Say what has become of a row, of which the runs with some seeds have ended."""
    if problems := [told for trial in trials if (told := problem(trial))]:
        return f"failed: {problems[0]}"
    pruned = next((trial for trial in trials if trial.state == TrialState.PRUNED), None)
    if pruned:
        return f"pruned at epoch {pruned.last_step}"
    done = {seed for trial in trials if trial.state == TrialState.COMPLETE
            for seed in trial.user_attrs["seeds"]}  # fmt: skip
    if lost := sorted(done - set(ended)):
        return f"failed: its run with seed {lost[0]} is gone from runs/; --retry does it again"
    return "finished" if len(ended) == wanted else "unfinished"
