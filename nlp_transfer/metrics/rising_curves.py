"""Curves that scores may lie on, as they rise with the training data; how likely each is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_EXPONENTS = np.geomspace(0.2, 1.5, 30)
# Of the room between the score at the largest size and 1, how much the ceiling takes: any share is
# as likely, and some of the weight is on curves that come to 1, as data without mistakes lets them.
_ROOTS = (np.arange(20) + 0.5) / 20
_ROOMS = np.append(_ROOTS**2, 1.0)
_ROOM_WEIGHTS = np.append(0.7 * _ROOTS / _ROOTS.sum(), 0.3)
# Standard deviation of what a curve cannot know at the largest size: which examples were drawn,
# and that no curve is quite right. At smaller sizes it is more, by the root of the size.
MISFITS = (0.002, 0.004, 0.008, 0.016, 0.03)


@dataclass(frozen=True, eq=False)
class Laws:
    """Curves, one an item of each array."""

    level: Floats
    """Score at the largest size."""
    ceiling: Floats
    exponent: Floats
    starts_slowly: NDArray[np.bool_]

    def scores(self, share: Floats) -> Floats:
        """Compute all curves at some sizes.

        share:   (sizes,), of the largest size
        returns: (sizes, curves)
        """
        power = share[:, None] ** -self.exponent
        missing = self.ceiling - self.level
        slow = self.ceiling / (1 + missing / self.level * power)
        return np.where(self.starts_slowly, slow, self.ceiling - missing * power)

    def choose(self, numbers: NDArray[np.int64]) -> Laws:
        return Laws(*(values[numbers] for values in vars(self).values()))


def grid(level: float, spread: float) -> tuple[Laws, Floats]:
    """List curves around the score at the largest size, and how likely each is before seeing any.

    level, spread: mean and standard deviation of that score
    """
    # Dense around the score, for scores that are known well, and wide, for those that are not.
    steps = np.sinh(np.linspace(-4, 4, 31)) / math.sinh(4) * 4 * spread
    levels, density = level + steps, np.gradient(steps)
    possible = (levels > 0) & (levels < 1)
    levels, density = levels[possible], density[possible]
    shape = (len(levels), len(_ROOMS), len(_EXPONENTS), 2)
    at, rooms, exponents, slow = (
        np.broadcast_to(values, shape).ravel()
        for values in (
            levels[:, None, None, None],
            _ROOMS[:, None, None],
            _EXPONENTS[:, None],
            np.array([False, True]),
        )
    )
    prior = density[:, None, None, None] * _ROOM_WEIGHTS[:, None, None] * np.ones(shape)
    laws = Laws(at, at + rooms * (1 - at), exponents, slow)
    return laws, prior.ravel() / prior.sum()


def posterior(
    laws: Laws, prior: Floats, share: Floats, means: Floats, variances: Floats
) -> tuple[Floats, float]:
    """Weigh curves by how well they agree with the scores.

    share:   of the largest size, each
    returns: the weights, which add up to 1, and the variance of the misfit
    """
    squares = (laws.scores(share) - means[:, None]) ** 2
    logs = []
    for misfit in MISFITS:
        known = variances + misfit**2 / share
        logs.append(-0.5 * ((squares / known[:, None]).sum(0) + np.log(known).sum()))
    likelihood = np.exp(np.array(logs) - np.max(logs)) * prior
    likelihood /= likelihood.sum()
    misfit = float((likelihood.sum(1) * np.square(MISFITS)).sum())
    return likelihood.sum(0), misfit
