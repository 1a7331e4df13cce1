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
    figure: Callable[[NDArray[np.int64]], float], count: int, *, samples: int, seed: int = 0
) -> Interval:
    """Bootstrap the 95 % percentile interval of a figure.

    figure:  takes how often each sentence was drawn, shape (count,), and returns the figure
    count:   number of sentences
    source:  Efron and Tibshirani 1993, chapter 13
    """
    if count == 0:
        return 0.0, 0.0
    random = np.random.default_rng(seed)
    figures = [
        figure(np.bincount(random.integers(0, count, count), minlength=count))
        for _ in range(samples)
    ]
    low, high = np.percentile(figures, [2.5, 97.5])
    return float(low), float(high)
