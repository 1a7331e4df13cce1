"""Scores of runs at several sizes of training data in; how one score grows on, out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nlp_transfer.metrics.learning_curve import CurveError, PowerLaw, fit

_ENDS = ("value", "low", "high")
_ROUND_STEPS = (0.05, 0.02, 0.01)
"""Of scores that one may aim at next."""


@dataclass(frozen=True)
class Point:
    """The runs of one size."""

    size: int
    scores: tuple[float, ...]
    """A fraction each."""

    @property
    def mean(self) -> float:
        return statistics.fmean(self.scores)

    @property
    def deviation(self) -> float | None:
        """Standard deviation between seeds; None of a single run."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None

    def __str__(self) -> str:
        spread = self.deviation
        return f"{self.mean:.2f}" if spread is None else f"{self.mean:.2f} ± {spread:.2f}"

    def as_dict(self) -> dict[str, Any]:
        runs = len(self.scores)
        return {"size": self.size, "mean": self.mean, "sd": self.deviation, "runs": runs}


@dataclass(frozen=True)
class Goal:
    """A score, and how many examples it takes."""

    score: float
    size: int
    low: int
    """The ends of the size's 95 % interval."""
    high: int | None
    """None: farther than is looked."""

    def __str__(self) -> str:
        between = (
            f"{_about(self.low)} or more"
            if self.high is None
            else (f"{_about(self.low)} to {_about(self.high)}")
        )
        return f"{self.score:.2f} needs about {_about(self.size)} ({between})"

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Curve:
    """How one score grows with the training data."""

    points: tuple[Point, ...]
    """By size."""
    law: PowerLaw | None
    why: str = ""
    """There is no law."""

    @classmethod
    def through(cls, points: Sequence[Point]) -> Curve:
        ordered = tuple(sorted(points, key=lambda point: point.size))
        try:
            law = fit([point.size for point in ordered], [point.scores for point in ordered])
        except CurveError as error:
            return cls(ordered, None, str(error))
        return cls(ordered, law)

    @property
    def last(self) -> Point:
        """The runs that have learned from most."""
        return self.points[-1]

    @cached_property
    def at_twice(self) -> tuple[float, float, float] | None:
        """Forecast the score at twice the largest size: (value, low, high), as `forecast` does."""
        return self.law.forecast(2 * self.last.size) if self.law else None

    def gain(self) -> float:
        """Say how much twice the data is worth; of what is not forecast, nothing."""
        forecast = self.at_twice
        return forecast[0] - self.last.mean if forecast else -math.inf

    @cached_property
    def goal(self) -> Goal | None:
        """Choose the next round score that takes more examples than there are, and can be had."""
        if self.law is None:
            return None
        for step in _ROUND_STEPS:
            score = step * math.ceil(self.last.mean / step + 1e-9)
            while score <= 1 and (found := self.law.size_for(score)):
                if found[0] > self.last.size:
                    return Goal(round(score, 2), *found)
                score += step
        return None

    def says(self, figure: str, examples: str) -> str:
        """Say it in a sentence."""
        known = f"{figure} {self.last} at {self.last.size:,} {examples}"
        forecast, goal = self.at_twice, self.goal
        if forecast is None:
            return f"{known}; nothing is forecast: {self.why}"
        value, low, high = forecast
        then = f"about {value:.2f} ({low:.2f} to {high:.2f}) at {2 * self.last.size:,}"
        return f"{known}; {then}; {goal or 'a point more is out of sight'}"

    def as_dict(self) -> dict[str, Any]:
        forecast, goal = self.at_twice, self.goal
        return {
            "points": [point.as_dict() for point in self.points],
            "law": self.law and self.law.as_dict(),
            "why_not": self.why or None,
            "forecast": forecast
            and {"size": 2 * self.last.size, **dict(zip(_ENDS, forecast, strict=True))},
            "goal": goal and goal.as_dict(),
        }


def _about(size: int) -> str:
    """Write a number by its first two digits.

    >>> _about(2345), _about(87)
    ('2,300', '87')
    """
    digits = len(str(size)) - 2
    return f"{round(size, -digits) if digits > 0 else size:,}"
