"""Scores of answers and whether each was right in; how far the scores can be trusted out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.metrics.figures import four_digits
from nlp_transfer.shown import LineChart, Series, Table

_BINS = 10
_WIDE_BINS = 15


class Bin(NamedTuple):
    """Answers of like scores."""

    score: float
    """Their mean score."""
    right: float
    """The share of them that is right."""
    answers: int


@dataclass(frozen=True)
class Reliability:
    """How far scores are from what comes true; fractions."""

    ece: float
    """Expected calibration error, in bins of as many answers each."""
    ece_equal_width: float
    """The same in bins of as wide a range of scores each."""
    ece_by_chance: float
    """What `ece` would be on average if the scores were exactly right: a finite number of answers
    never comes out even."""
    brier: float
    """Mean squared distance of the score from 1 for right answers, from 0 for wrong ones."""
    bins: tuple[Bin, ...]
    """Those of `ece`, from low scores to high ones."""

    @classmethod
    def of(cls, scores: NDArray[np.float64], right: NDArray[np.bool_]) -> Reliability:
        """Measure scores: (answers,) each, at least one.

        source: Naeini et al. 2015 (equal numbers, 10 bins); Guo et al. 2017, section 2 (equal
                widths, 15 bins); Brier 1950. By chance: each bin's gap is nearly normal, so that
                its mean size is sqrt(2 / pi) of its standard deviation
        """
        order = np.argsort(scores, kind="stable")
        equal = [part for part in np.array_split(order, _BINS) if len(part)]
        numbers = np.minimum((scores * _WIDE_BINS).astype(int), _WIDE_BINS - 1)
        wide = [np.flatnonzero(numbers == number) for number in np.unique(numbers)]
        spread = scores * (1 - scores)
        by_chance = sum(math.sqrt(2 / math.pi * float(spread[part].sum())) for part in equal)
        return cls(
            ece=_gaps(scores, right, equal),
            ece_equal_width=_gaps(scores, right, wide),
            ece_by_chance=by_chance / len(scores),
            brier=float(((scores - right) ** 2).mean()),
            bins=tuple(
                Bin(float(scores[part].mean()), float(right[part].mean()), len(part))
                for part in equal
            ),
        )

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Reliability:
        return cls(**{**said, "bins": tuple(Bin(**each) for each in said["bins"])})

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "bins": [each._asdict() for each in self.bins]}


def _gaps(
    scores: NDArray[np.float64], right: NDArray[np.bool_], bins: list[NDArray[np.int64]]
) -> float:
    """Average the distance of score and share right over the answers of all bins."""
    gaps = (abs(float(scores[part].sum()) - float(right[part].sum())) for part in bins)
    return sum(gaps) / len(scores)


@dataclass(frozen=True)
class ConfidenceFigures:
    """How far the scores of a split can be trusted, before they were calibrated and after."""

    answers: int
    """Predicted entities, or labels given."""
    right: float
    """The share of them that is right."""
    model: Reliability
    """Of the scores as the model computes them."""
    calibrated: Reliability | None
    """Of the scores as they are shown; None: they are the model's."""

    @classmethod
    def of(
        cls,
        model_scores: NDArray[np.float64],
        scores: NDArray[np.float64],
        right: NDArray[np.bool_],
    ) -> ConfidenceFigures | None:
        """Measure the scores of answers, (answers,) each; None where there is no answer."""
        if not len(right):
            return None
        same = np.array_equal(model_scores, scores)
        return cls(
            answers=len(right),
            right=float(right.mean()),
            model=Reliability.of(model_scores, right),
            calibrated=None if same else Reliability.of(scores, right),
        )

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> ConfidenceFigures:
        """Read what `as_dict` wrote.

        raises: KeyError, TypeError or ValueError where it is something else
        """
        model, calibrated = Reliability.read(said["model"]), said.get("calibrated")
        after = Reliability.read(calibrated) if calibrated is not None else None
        return cls(said["answers"], said["right"], model, after)

    def as_dict(self) -> dict[str, Any]:
        """Write the figures as metrics.json has them."""
        after = {"calibrated": self.calibrated.as_dict()} if self.calibrated else {}
        said = {"answers": self.answers, "right": self.right}
        return {**said, "model": self.model.as_dict(), **after}

    def _by_name(self) -> dict[str, Reliability]:
        if self.calibrated is None:
            return {"as the model computes them": self.model}
        return {"before calibration": self.model, "calibrated": self.calibrated}

    def table(self) -> Table:
        """Show how far scores are from the truth, and how far they would be by chance."""
        rows = tuple(
            (name, *map(four_digits, (each.ece, each.ece_by_chance, _mean(each), self.right)),
             four_digits(each.brier))
            for name, each in self._by_name().items()
        )  # fmt: skip
        columns = ("scores", "ECE", "ECE by chance", "mean score", "right", "Brier")
        note = (
            f"ECE: how far scores are from the share that is right, over {self.answers:,} answers "
            f"in {len(self.model.bins)} bins of equal numbers; by chance: what scores that are "
            "exactly right would have."
            f"{'' if self.calibrated else ' The model keeps no calibration.'}"
        )
        return Table("Confidence", columns, rows, note)

    def chart(self) -> LineChart:
        """Draw the share that is right over the score."""
        even = Series("exactly right", ((0.0, 0.0), (1.0, 1.0)))
        drawn = [
            Series(name, tuple((each.score, each.right) for each in reliability.bins))
            for name, reliability in self._by_name().items()
        ]
        note = "Above the diagonal the model is too modest, below it too sure."
        return LineChart("Reliability", "score", "share right", (even, *drawn), note)


def _mean(reliability: Reliability) -> float:
    total = sum(each.answers for each in reliability.bins)
    return sum(each.score * each.answers for each in reliability.bins) / total
