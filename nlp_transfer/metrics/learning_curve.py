"""Scores at several sizes of training data in; what they forecast for other sizes out.

Two families of curves rise to a ceiling a by a power of the size n: the power law a - b n^-c, and
a / (1 + b n^-c), which may start slowly, and ends as a power law does. (Viering and Loog 2021, The
Shape of Learning Curves, call them POW3 and MMF4.) A few sizes do not tell which curve is right. So
all of a grid are weighed by how well they agree with the scores (Bayes' rule); a forecast is the
median of what they say, its interval what 95 % of them say and what chance adds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nlp_transfer.metrics.rising_curves import MISFITS, Floats, Laws, grid, posterior

LEAST_SIZES = 3
"""Through two points goes any curve."""
FARTHEST = 32
"""Times the largest size: as far as `size_for` looks."""
_LAWS = 1000
"""Curves that stand for all of the grid: so many that 2.5 % of them are 25."""
_SEEDS_SD = 0.012
"""What runs of other seeds differ by, where there are few or none: a prior of three runs."""
_PRIOR_RUNS = 3
_LEARNED = 0.1
"""Share of the best score below which small sizes have not begun to learn."""


class CurveError(ValueError):
    """Scores that say nothing about other sizes, and why."""


@dataclass(frozen=True)
class PowerLaw:
    """What scores at several sizes say of others: about a - b n^-c at the size n."""

    a: float
    """The ceiling; like b and c of the one power law that is closest to the forecasts."""
    b: float
    c: float
    sizes: tuple[int, ...]
    """The sizes that it follows."""
    not_learned: tuple[int, ...]
    """Smaller sizes, at which learning has not begun; they say nothing of the curve."""
    _laws: Laws = field(repr=False, compare=False)
    _chance: float = field(repr=False, compare=False)
    """Standard deviation of a single run around the curve."""

    def curve(self, sizes: Sequence[float]) -> list[tuple[float, float, float]]:
        """Forecast the score at several sizes: (value, low, high) each, as `forecast` does."""
        value, low, high = self._expected(np.asarray(sizes, float))
        chance = 1.96 * self._chance
        low, high = value - np.hypot(value - low, chance), value + np.hypot(high - value, chance)
        ends = (value, np.clip(low, 0, 1), np.clip(high, 0, 1))
        return [(float(v), float(lo), float(hi)) for v, lo, hi in zip(*ends, strict=True)]

    def _expected(self, sizes: Floats) -> tuple[Floats, Floats, Floats]:
        """Compute value, low and high of the mean over many runs, at each size."""
        scores = self._laws.scores(sizes / self.sizes[-1])
        low, value, high = np.clip(np.quantile(scores, [0.025, 0.5, 0.975], axis=1), 0, 1)
        return value, low, high

    def forecast(self, size: float) -> tuple[float, float, float]:
        """Forecast the score of a run that learns from so many examples.

        returns: the score, and the ends of a 95 % interval for one such run; fractions
        """
        return self.curve([size])[0]

    def size_for(self, score: float) -> tuple[int, int, int | None] | None:
        """Find how many examples a score takes that runs have on the mean.

        score:   a fraction
        returns: the size, and the ends of a 95 % interval; its high end is None where it lies
                 beyond FARTHEST times the largest size. None where the size itself lies there
        """
        steps = 16 * int(math.log2(FARTHEST * self.sizes[-1] / self.sizes[0]))
        sizes = np.geomspace(self.sizes[0], FARTHEST * self.sizes[-1], steps)
        value, low, high = self._expected(sizes)
        needed, least, most = (_first(sizes, line, score) for line in (value, high, low))
        return None if needed is None else (needed, least or needed, most)

    def as_dict(self) -> dict[str, Any]:
        return {
            "a": self.a,
            "b": self.b,
            "c": self.c,
            "sizes": list(self.sizes),
            "not_learned": list(self.not_learned),
        }


def fit(sizes: Sequence[int], scores: Sequence[Sequence[float]]) -> PowerLaw:
    """Weigh the curves that scores may lie on.

    sizes:  of training data, each once, in any order
    scores: of the runs at each size, fractions; one run or several that differ by their seed
    raises: CurveError where they say nothing of other sizes
    """
    by_size = dict(sorted(zip(sizes, scores, strict=True)))
    means = np.array([np.mean(of_a_size) for of_a_size in by_size.values()])
    first = _first_learned(means)
    known = np.array(list(by_size)[first:], float)
    between_seeds, variances = _between_seeds(list(by_size.values()))
    means, variances = means[first:], variances[first:]
    _check_rises(known, means, variances)
    laws, prior = grid(max(means[-1], 0.01), math.sqrt(variances[-1] + MISFITS[-1] ** 2))
    weights, misfit = posterior(laws, prior, known / known[-1], means, variances)
    spread = (np.arange(_LAWS) + 0.5) / _LAWS
    numbers = np.searchsorted(np.cumsum(weights), spread).clip(0, len(weights) - 1)
    chosen = laws.choose(numbers)
    return PowerLaw(
        *_closest(chosen, laws, known),
        sizes=tuple(list(by_size)[first:]),
        not_learned=tuple(list(by_size)[:first]),
        _laws=chosen,
        _chance=math.sqrt(between_seeds + misfit),
    )


def _first_learned(means: Floats) -> int:
    """Find from where on something has been learned: a score of 0 is no point of a power law."""
    if len(means) and means.max() <= 0:
        raise CurveError("no score is above 0: nothing has been learned at any size")
    first = int(np.argmax(means > _LEARNED * means.max())) if len(means) else 0
    if (left := len(means) - first) < LEAST_SIZES:
        begun = " at which learning has begun" if first else ""
        raise CurveError(f"a curve takes {LEAST_SIZES} sizes{begun}, there {_are(left)}")
    return first


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count}"


def _between_seeds(scores: Sequence[Sequence[float]]) -> tuple[float, Floats]:
    """Estimate the variance of a run between seeds, and that of each size's mean."""
    runs = np.array([len(of_a_size) for of_a_size in scores])
    squares = np.array([np.var(of_a_size) * len(of_a_size) for of_a_size in scores])
    pooled = (squares.sum() + _PRIOR_RUNS * _SEEDS_SD**2) / ((runs - 1).sum() + _PRIOR_RUNS)
    own = (squares + _PRIOR_RUNS * pooled) / (runs - 1 + _PRIOR_RUNS)
    return float(pooled), own / runs


def _check_rises(sizes: Floats, means: Floats, variances: Floats) -> None:
    """Refuse scores that do not rise with the size by more than chance makes of them."""
    weights = 1 / (variances + MISFITS[1] ** 2)
    steps = np.log(sizes) - np.average(np.log(sizes), weights=weights)
    slope = (weights * steps * means).sum() / (weights * steps**2).sum()
    certainty = slope * math.sqrt((weights * steps**2).sum())  # standard errors from no slope
    if certainty < 1:
        what = "fall" if certainty < -2 else "do not rise"
        raise CurveError(
            f"the scores {what} with the size ({means[0]:.3f} at {sizes[0]:,.0f}, {means[-1]:.3f} "
            f"at {sizes[-1]:,.0f})"
        )


def _closest(chosen: Laws, laws: Laws, sizes: Floats) -> tuple[float, float, float]:
    """Return a, b and c of the power law that is closest to the median of the chosen curves."""
    share = np.geomspace(sizes[0] / sizes[-1], 4, 16)
    median = np.median(chosen.scores(share), axis=1)
    power = laws.choose(np.flatnonzero(~laws.starts_slowly))
    best = int(np.argmin(((power.scores(share) - median[:, None]) ** 2).sum(0)))
    a, c = float(power.ceiling[best]), float(power.exponent[best])
    return a, (a - float(power.level[best])) * float(sizes[-1]) ** c, c


def _first(sizes: Floats, line: Floats, score: float) -> int | None:
    """Find where a rising line reaches a score, between its points on a line of log sizes."""
    if line[-1] < score:
        return None
    at = int(np.argmax(line >= score))
    if at == 0:
        return math.ceil(float(sizes[0]))
    share = (score - line[at - 1]) / (line[at] - line[at - 1])
    return math.ceil(float(sizes[at - 1] * (sizes[at] / sizes[at - 1]) ** share))
