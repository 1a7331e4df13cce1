"""Counts of gold labels by predicted labels in; their order, a part one can read, and MCC out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

MOST_LABELS = 20
"""Of a grid that people can read; the others are counted together."""


@dataclass(frozen=True)
class Fold:
    """Labels in the order in which they are shown, those of them that are not put together."""

    names: tuple[str, ...]
    """With the name of all the others, where there are some."""
    weights: Integers
    """(names, labels) 1 where a label is counted under a name."""

    def matrix(self, counts: Integers) -> Integers:
        """Fold (labels, labels) to (names, names)."""
        return self.weights @ counts @ self.weights.T

    def columns(self, counts: Integers) -> Integers:
        """Fold (labels, columns) to (names, columns)."""
        return self.weights @ counts


def fold(counts: Integers, labels: Sequence[str], *, most: int = MOST_LABELS) -> Fold:
    """Choose the labels that are confused most, and put those beside each other that are confused.

    counts: (labels, labels) gold by predicted
    """
    confused = _mutual(counts)
    by_mass = np.argsort(-confused.sum(axis=1), kind="stable")
    kept = np.sort(by_mass[: most if len(labels) > most + 1 else len(labels)])
    order = kept[chained(confused[np.ix_(kept, kept)])]
    names = [labels[place] for place in order]
    weights = np.zeros((len(order), len(labels)), np.int64)
    weights[np.arange(len(order)), order] = 1
    if others := len(labels) - len(order):
        names.append(f"({others:,} others)")
        weights = np.vstack([weights, 1 - weights.sum(axis=0)])
    return Fold(tuple(names), weights)


def chained(confused: Integers) -> Integers:
    """Order labels so that each stands beside the one that it is confused with most.

    From the two that are confused most a chain grows at both ends, always by the label that is
    confused most with one of the ends; where none is, it goes on with the next most confused.
    confused: (labels, labels) symmetric, 0 on the diagonal
    returns:  (labels,) their places
    """
    left = [int(place) for place in np.argsort(-confused.sum(axis=1), kind="stable")]
    chain: list[int] = []
    while left:
        ends = [chain[0], chain[-1]] if chain else []
        links = [(int(confused[end, place]), end, place) for end in ends for place in left]
        strongest = max(links, key=lambda link: link[0], default=(0, -1, left[0]))
        count, end, place = strongest if strongest[0] else (0, -1, left[0])
        left.remove(place)
        at_start = count > 0 and end == chain[0] and len(chain) > 1
        chain.insert(0 if at_start else len(chain), place)
    return np.array(chain, np.int64)


def _mutual(counts: Integers) -> Integers:
    """Count how often two labels are taken for each other, either way."""
    mutual = counts + counts.T
    np.fill_diagonal(mutual, 0)
    return mutual


def mcc(counts: Integers) -> float | None:
    """Matthews correlation coefficient of several classes, -1 to 1.

    None where all texts have one class: there is nothing to correlate with. 0 where all
    predictions are one class, as scikit-learn has it.
    counts: (labels, labels) gold by predicted
    source: Gorodkin 2004, R_K; sklearn.metrics.matthews_corrcoef
    """
    gold, predicted, total = counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    spread_gold = float(total) ** 2 - float(gold @ gold)
    spread_predicted = float(total) ** 2 - float(predicted @ predicted)
    if not spread_gold:
        return None
    if not spread_predicted:
        return 0.0
    covariance = float(np.trace(counts)) * float(total) - float(gold @ predicted)
    return float(covariance / np.sqrt(spread_gold * spread_predicted))


def balanced_accuracy(counts: Integers) -> float | None:
    """Mean recall of the labels that texts have; None where there are none.

    counts: (labels, labels) gold by predicted
    source: sklearn.metrics.balanced_accuracy_score
    """
    gold = counts.sum(axis=1)
    present = gold > 0
    if not present.any():
        return None
    return float((np.diag(counts)[present] / gold[present]).mean())
