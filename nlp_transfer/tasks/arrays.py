"""Lists of windows padded to a tensor; the probabilities of several models averaged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


def mean_probabilities(
    log_probabilities: Sequence[NDArray[np.floating[Any]]],
) -> NDArray[np.floating[Any]]:
    """Average the probabilities of several models; the logarithm of the mean.

    log_probabilities: (items, labels) a model
    returns:           (items, labels)
    """
    import numpy as np

    total: NDArray[np.floating[Any]] = np.logaddexp.reduce(log_probabilities)
    return total - math.log(len(log_probabilities))


def pad(lists: Sequence[Sequence[int]], value: int, length: int | None = None) -> torch.Tensor:
    """Pad lists of integers.

    length:  of all of them then; None: that of the longest
    returns: (lists, length) int64
    """
    import torch

    length = length or max(len(items) for items in lists)
    padded = [[*items, *[value] * (length - len(items))] for items in lists]
    return torch.tensor(padded, dtype=torch.int64)
