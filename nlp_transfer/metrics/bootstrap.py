"""How sure a figure is: sentences resampled with replacement."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.metrics.figures import Interval

FEW = 30
"""Below so many examples intervals of percentiles are too narrow to be believed.

source: Hesterberg 2015, What Teachers Should Know About the Bootstrap
"""
_AT_ONCE = 100
"""Resamples: where all examples differ, each takes 8 bytes an example."""
_LARGEST = 2**62
"""Number that a row can have."""


def interval_doubt(low: float, high: float, count: int) -> str | None:
    """Say why an interval means little, if it does.

    low, high: of `interval95`
    count:     examples that were resampled
    source:    the rule of three: no error in n examples bounds their share by 3 / n (95 %)
    """
    if 0 < count < FEW:
        return f"the interval is from {count} examples only (fewer than {FEW}): it says little"
    if not count or low < high:
        return None
    rule = f"; with no error in {count:,}, up to {3 / count:.1%} of new ones may be wrong"
    same = "every resample gives the same figure, so the interval has no width"
    return f"{same}{rule if low == 1 else ''}"


def interval95(
    figure: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    counts: NDArray[np.integer],
    *,
    samples: int,
    seed: int = 0,
) -> Interval:
    """Bootstrap the 95 % percentile interval of a figure that sums of counts decide.

    figure:  takes (samples, columns), the sums of resamples, and returns (samples,)
    counts:  (examples, columns)
    source:  Efron and Tibshirani 1993, chapter 13
    """
    if not len(counts):
        return 0.0, 0.0
    figures = figure(resampled_sums(counts, samples=samples, seed=seed))
    low, high = np.percentile(figures, [2.5, 97.5])
    return float(low), float(high)


def resampled_sums(
    counts: NDArray[np.integer], *, samples: int, seed: int = 0
) -> NDArray[np.float64]:
    """Draw examples with replacement, as many as there are, and add up their counts.

    Examples with the same counts need not be told apart: how often each kind is drawn is
    multinomial. 100,000 sentences are some hundred kinds.

    counts:  (examples, columns)
    returns: (samples, columns)
    """
    _, first, numbers = np.unique(_kinds(counts), return_index=True, return_counts=True)
    kinds = counts[first].astype(np.float64)
    random = np.random.default_rng(seed)
    shares = numbers / len(counts)
    return np.concatenate(
        [
            random.multinomial(len(counts), shares, size=min(_AT_ONCE, samples - done)) @ kinds
            for done in range(0, samples, _AT_ONCE)
        ]
    )


def _kinds(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Number rows so that those with the same counts, and no others, have the same number.

    As digits of one number, for numpy sorts rows twenty times more slowly than numbers.
    counts:  (examples, columns), none below 0
    returns: (examples,)
    """
    kinds, size = np.zeros(len(counts), np.int64), 1
    for column in counts.T:
        digits = int(column.max()) + 1
        if size * digits > _LARGEST:
            different, kinds = np.unique(kinds, return_inverse=True)
            size = len(different)
        kinds, size = kinds * digits + column, size * digits
    return kinds
