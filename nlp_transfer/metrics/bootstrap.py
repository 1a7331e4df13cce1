"""How sure a figure is: sentences resampled with replacement."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def interval95(
    figure: Callable[[NDArray[np.int64]], float], count: int, *, samples: int, seed: int = 0
) -> list[float]:
    """Bootstrap the 95 % percentile interval of a figure.

    figure:  takes how often each sentence was drawn, shape (count,), and returns the figure
    count:   number of sentences
    returns: [low, high]
    source:  Efron and Tibshirani 1993, chapter 13
    """
    if count == 0:
        return [0.0, 0.0]
    random = np.random.default_rng(seed)
    figures = [
        figure(np.bincount(random.integers(0, count, count), minlength=count))
        for _ in range(samples)
    ]
    low, high = np.percentile(figures, [2.5, 97.5])
    return [float(low), float(high)]
