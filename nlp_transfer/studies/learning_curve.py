"""Runs of one recipe at several sizes of training data in; how their score grows on, out."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlp_transfer.errors import shortened
from nlp_transfer.shown import Block, LineChart, Series, Table
from nlp_transfer.studies.curve import Curve, Point
from nlp_transfer.tasks import task_named
from nlp_transfer.tasks.faces import Figures

_SHOWN_FARTHER = 4
"""Times the largest size: as far as charts draw the forecast."""
_POINTS = 60
"""Of the line of a forecast: so many that none is marked as if it were a run."""
_MOST_LINES = 8
"""More curves in one chart cannot be told apart."""
_MOST_SAID = 10
"""More sentences are not read."""
_NOT_FORECAST = "learning has begun at fewer than 3 sizes, or scores do not rise"


@dataclass(frozen=True)
class LearningCurve:
    """How the score of a recipe grows with its training data, in all and for each label."""

    figure: str
    """The score, as people call it."""
    examples: str
    """What is learned from: sentences or texts."""
    label: str
    """What a score is of: a type or a class."""
    overall: Curve
    per_label: Mapping[str, Curve]
    steps: Mapping[int, int]
    """Of training at each size; empty where that is not known."""

    @property
    def caution(self) -> str | None:
        """Say that part of what the curve shows is more steps, where small sizes took far fewer."""
        (least, few), (most, many) = (end(self.steps.items(), default=(0, 0)) for end in (min, max))
        if 2 * few >= many:
            return None
        return (
            f"Runs took {few:,} steps at {least:,} {self.examples}, {many:,} at {most:,}: part of "
            "the gain is that of more steps. training.arguments.max_steps gives all sizes as many."
        )

    def sentence(self) -> str:
        """Say how far it has come, and what more takes."""
        return f"Learning curve: {self.overall.says(self.figure, self.examples)}."

    def sentences(self) -> list[str]:
        """Say it of the labels that more data helps most, and how many are not forecast."""
        forecast = [(name, curve) for name, curve in self._most_gained() if curve.law]
        if not forecast and self.overall.law is None:
            return []  # what is said of all holds for each
        said = [
            f"{name}: {curve.says('F1', self.examples)}." for name, curve in forecast[:_MOST_SAID]
        ]
        if more := len(forecast) - len(said):
            said.append(f"The table has {more} more of which twice the data gives less.")
        if unknown := [name for name, curve in self.per_label.items() if not curve.law]:
            said.append(f"Not forecast: {shortened(unknown)} ({_NOT_FORECAST}).")
        return said

    def _most_gained(self) -> list[tuple[str, Curve]]:
        return sorted(self.per_label.items(), key=lambda item: -item[1].gain())

    def as_dict(self) -> dict[str, Any]:
        return {
            "figure": self.figure,
            "examples": self.examples,
            "overall": {**self.overall.as_dict(), "sentence": self.sentence()},
            "per_label": {name: curve.as_dict() for name, curve in self.per_label.items()},
            "caution": self.caution,
        }

    def blocks(self) -> tuple[Block, ...]:
        """Draw the curve with its forecast, those of the labels, and all of it as a table."""
        charts = [self._chart()]
        if 1 < len(self.per_label) <= _MOST_LINES:
            charts.append(self._chart_of_labels())
        return (*charts, self._table())

    def _chart(self) -> LineChart:
        points = self.overall.points
        measured = Series(
            "runs, mean ± standard deviation",
            tuple((point.size, point.mean) for point in points),
            tuple(
                (point.mean - (point.deviation or 0), point.mean + (point.deviation or 0))
                for point in points
            ),
            joined=False,
        )
        forecast = self._forecast()
        return LineChart(
            "Learning curve",
            f"{self.examples} to learn from",
            self.figure,
            (forecast, measured) if forecast else (measured,),
            note=self.sentence(),
            log_x=True,
        )

    def _forecast(self) -> Series | None:
        law, largest = self.overall.law, self.overall.last.size
        if law is None:
            return None
        sizes = np.geomspace(law.sizes[0], _SHOWN_FARTHER * largest, _POINTS).tolist()
        curve = law.curve(sizes)
        return Series(
            "forecast, 95 % of runs",
            tuple((size, value) for size, (value, _, _) in zip(sizes, curve, strict=True)),
            tuple((low, high) for _, low, high in curve),
        )

    def _chart_of_labels(self) -> LineChart:
        lines = tuple(
            Series(name, tuple((point.size, point.mean) for point in curve.points))
            for name, curve in self._most_gained()
        )
        title, axis = f"Learning curve of each {self.label}", f"{self.examples} to learn from"
        return LineChart(title, axis, "F1", lines, log_x=True)

    def _table(self) -> Table:
        points = self.overall.points
        sizes = [f"{point.size:,}" for point in points]
        rows = [_cells("all", self.overall)]
        rows += [_cells(name, curve) for name, curve in self._most_gained()]
        return Table(
            "Scores by size",
            (self.label, *sizes, f"forecast at {2 * points[-1].size:,}", "next score"),
            tuple(rows),
            f"{self.figure} of all, F1 of each {self.label}: mean ± standard deviation over "
            f"seeds; forecasts with the interval of 95 % of runs. None: {_NOT_FORECAST}.",
        )


def _cells(name: str, curve: Curve) -> tuple[str, ...]:
    forecast, goal = curve.at_twice, curve.goal
    ahead = f"{forecast[0]:.2f} ({forecast[1]:.2f} to {forecast[2]:.2f})" if forecast else "none"
    return (name, *map(str, curve.points), ahead, str(goal or ""))


def learning_curve(
    runs: Mapping[int, Sequence[Mapping[str, Any]]], *, split: str = "validation"
) -> LearningCurve:
    """Fit what the runs of one recipe say of other sizes of its training data.

    runs:   by the number of examples learned from, what metrics.json holds of each seed's run; a
            size of which no run is finished is left out
    split:  whose scores are compared
    raises: KeyError, TypeError or ValueError where there is no run, or no report of this version
    """
    runs = {size: of_size for size, of_size in sorted(runs.items()) if of_size}
    if not runs:
        raise ValueError("no run is finished")
    task = task_named(next(iter(of_size[0] for of_size in runs.values()))["task"])
    figures = {
        size: [task.scores.read(metrics["splits"][split]) for metrics in of_size]
        for size, of_size in runs.items()
    }
    labels = dict.fromkeys(name for of in figures.values() for one in of for name in _gold(one))
    nouns = task.rows.nouns
    return LearningCurve(
        task.scores.headline,
        f"{nouns.example}s",
        nouns.label,
        Curve.through(
            [Point(size, tuple(one.headline.value for one in of)) for size, of in figures.items()]
        ),
        {
            name: Curve.through(
                [Point(size, tuple(_f1(one, name) for one in of)) for size, of in figures.items()]
            )
            for name in labels
        },
        {
            size: int(statistics.median(taken))
            for size, of_size in runs.items()
            if (taken := [one["training"]["steps"] for one in of_size if "training" in one])
        },
    )


def _gold(figures: Figures) -> Iterator[str]:
    """Name the labels that the split has: of others nothing could be right."""
    return (name for name, score in figures.per_label.items() if score.support != 0)


def _f1(figures: Figures, name: str) -> float:
    score = figures.per_label.get(name)
    return score.f1 if score else 0.0
