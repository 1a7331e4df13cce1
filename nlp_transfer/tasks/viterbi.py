"""Word-level log-probabilities in, the best legal IOB2 tag sequence out."""

from __future__ import annotations

from collections.abc import Sequence
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
    scores: NDArray[np.floating[Any]], inside: dict[int, tuple[int, int]]
) -> NDArray[np.int64]:
    """Find the tag sequence with the highest sum of scores that IOB2 allows.

    scores:  (words, labels) log-probabilities
    inside:  from `inside_predecessors`
    returns: (words,) label ids; I-x stands only after B-x or I-x
    """
    greedy = scores.argmax(axis=1)
    if is_legal(greedy, inside):
        return greedy  # the unconstrained best is the constrained best
    words, count = scores.shape
    total = scores[0].copy()
    total[list(inside)] = -np.inf
    came_from = np.zeros((words, count), dtype=np.int64)
    for word in range(1, words):
        came_from[word] = total.argmax()
        best = np.full(count, total.max(), dtype=np.float32)
        for label, before in inside.items():
            chosen = max(before, key=lambda index: total[index])
            came_from[word, label] = chosen
            best[label] = total[chosen]
        total = best + scores[word]
    path = np.empty(words, dtype=np.int64)
    path[-1] = total.argmax()
    for word in range(words - 1, 0, -1):
        path[word - 1] = came_from[word, path[word]]
    return path


def is_legal(path: NDArray[np.int64], inside: dict[int, tuple[int, int]]) -> bool:
    """Tell whether every I-x of a label id sequence follows B-x or I-x."""
    return all(
        index > 0 and path[index - 1] in inside[label]
        for index, label in enumerate(path.tolist())
        if label in inside
    )
