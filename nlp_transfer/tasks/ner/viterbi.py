"""Word-level log-probabilities in, the best legal tag sequence of a scheme out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray


def inside_predecessors(labels: Sequence[str]) -> dict[int, tuple[int, int]]:
    """Map each I-x label id to the two ids that may stand before it: (B-x, I-x)."""
    ids = {name: index for index, name in enumerate(labels)}
    return {
        index: (ids[f"B-{name[2:]}"], index)
        for name, index in ids.items()
        if name.startswith("I-") and f"B-{name[2:]}" in ids
    }


def best_tags(
    scores: NDArray[np.floating[Any]],
    inside: Mapping[int, Sequence[int]],
    closed: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Find the tag sequence with the highest sum of scores that the scheme allows.

    scores:  (words, labels) log-probabilities
    inside:  label ids, and the ids that alone may stand before each: see `inside_predecessors`
    closed:  ids that may stand before all other labels and at the end; None is all of them
    returns: (words,) label ids
    """
    greedy: NDArray[np.int64] = scores.argmax(axis=1)
    if is_legal(greedy, inside, closed):
        return greedy  # the unconstrained best is the constrained best
    words, count = scores.shape
    free = np.arange(count) if closed is None else closed
    total = scores[0].copy()
    total[list(inside)] = -np.inf
    came_from = np.zeros((words, count), dtype=np.int64)
    for word in range(1, words):
        came_from[word] = last = free[total[free].argmax()]
        best = np.full(count, total[last], dtype=np.float32)
        for label, before in inside.items():
            chosen = max(before, key=lambda index: total[index])
            came_from[word, label] = chosen
            best[label] = total[chosen]
        total = best + scores[word]
    path = np.empty(words, dtype=np.int64)
    path[-1] = free[total[free].argmax()]
    for word in range(words - 1, 0, -1):
        path[word - 1] = came_from[word, path[word]]
    return path


def is_legal(
    path: NDArray[np.int64],
    inside: Mapping[int, Sequence[int]],
    closed: NDArray[np.int64] | None = None,
) -> bool:
    """Tell whether every label of a sequence may follow the one before it, and the last may end."""
    labels = path.tolist()
    may_follow = all(
        index > 0 and labels[index - 1] in inside[label]
        for index, label in enumerate(labels)
        if label in inside
    )
    if closed is None or not may_follow:
        return may_follow
    ends = set(closed.tolist())
    before_others = (before for before, label in pairwise(labels) if label not in inside)
    return all(label in ends for label in (*before_others, *labels[-1:]))
