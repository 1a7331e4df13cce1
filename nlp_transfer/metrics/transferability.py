"""Frozen features and labels of items in, how well a checkpoint is expected to learn them out.

Both scores need no more of the items than sums over them (`Moments`), so leaving a group of
examples out is a subtraction.

sources: Bao et al. 2019 (H-score); Ibrahim et al. 2022 (its covariance shrunk as Ledoit and Wolf
         2004 do); You et al. 2021 (LogME)
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

Floats = NDArray[np.float64]
Numbers = NDArray[np.floating[Any]] | NDArray[np.bool_]

_RATIOS = np.logspace(-10, 6, 1_000)
"""Of prior to noise, in LogME, as multiples of the largest variance."""
_NOTHING = 1e-10
"""Share of the largest variance below which a direction holds rounding only."""


@dataclass(frozen=True)
class Moments:
    """Sums over items: all that the scores need."""

    items: float
    features: Floats
    """(hidden,)"""
    squares: Floats
    """(hidden, hidden): of the products of every two features."""
    labelled: Floats
    """(labels, hidden): of the features of the items that bear a label."""
    together: Floats
    """(labels, labels): how many items bear both labels."""

    @classmethod
    def of(cls, features: Numbers, labels: Numbers) -> Moments:
        """Add up items.

        features: (items, hidden)
        labels:   (items, labels) 0 or 1
        """
        features, labels = features.astype(np.float64), labels.astype(np.float64)
        return cls(
            float(len(features)),
            features.sum(axis=0),
            features.T @ features,
            labels.T @ features,
            labels.T @ labels,
        )

    def __add__(self, other: Moments) -> Moments:
        return Moments(*(getattr(self, of.name) + getattr(other, of.name) for of in fields(self)))

    def __sub__(self, other: Moments) -> Moments:
        return Moments(*(getattr(self, of.name) - getattr(other, of.name) for of in fields(self)))


def h_score(moments: Moments, *, shrinkage: float) -> float:
    """Measure how much of the features' variance is between labels: tr(cov(f)^-1 cov(E[f|y])).

    It is the sum of the squared canonical correlations of features and labels, so items may bear
    any number of labels; 0 where nothing is told apart, at most one less than there are labels.

    shrinkage: how far the covariance gives way to that of a ball, 0 to 1, as
               `sklearn.covariance.ledoit_wolf_shrinkage` has it; 0 for that of Bao et al.
    """
    items, mean = moments.items, moments.features / moments.items
    covariance = moments.squares / items - np.outer(mean, mean)
    counts = np.diag(moments.together)
    of_labels = moments.together - np.outer(counts, counts) / items
    between = moments.labelled - np.outer(counts, mean)
    size = float(np.trace(covariance)) / len(mean)
    if size <= 0:
        return 0.0
    shrunk = (1 - shrinkage) * covariance
    shrunk[np.diag_indices_from(shrunk)] += max(shrinkage, _NOTHING) * size
    explained = between @ np.linalg.solve(shrunk, between.T)
    told = np.linalg.pinv(of_labels, rcond=_NOTHING, hermitian=True)
    return float((1 - shrinkage) / items * (told * explained).sum())


def log_me(moments: Moments) -> float:
    """Compute the logarithm of the maximum evidence of linear models of the labels, an item.

    Each label that an item bears is a target of its own, 1 or 0; the mean over these is returned.
    Prior and noise are those that make the evidence highest: given their ratio the noise is known,
    and of ratios so many are tried that the result is right to about 1e-5, also where the fixed
    point of the paper is none, because every label is fitted without error.

    source: You et al. 2021
    """
    borne = np.diag(moments.together) > 0
    variances, axes = np.linalg.eigh(moments.squares)
    kept = variances > max(_NOTHING * float(variances[-1]), np.finfo(np.float64).tiny)
    if not kept.any() or not borne.any():
        return 0.0
    spread, items = variances[kept], moments.items
    found = (axes.T[kept] @ moments.labelled[borne].T) ** 2 / spread[:, None]  # squares, by axis
    squares = np.diag(moments.together)[borne]
    outside = np.clip(squares - found.sum(axis=0), 0.0, None)
    ratios = spread[-1] * _RATIOS[:, None]
    left = ratios / (ratios + spread) @ found + outside
    left = np.maximum(left, _NOTHING * squares) / items
    volume = np.log1p(spread / ratios).sum(axis=1, keepdims=True) / items
    evidence = -(np.log(2 * np.pi * left) + 1 + volume) / 2
    return float(evidence.max(axis=0).mean())


def p_of_difference(a: float, b: float, without_a: Floats, without_b: Floats) -> float:
    """Tell how often two scores would be as far apart if other examples alone had made them so.

    a, b:      scores of the same examples
    without_*: (groups,) the same without one of the groups into which the examples are divided, the
               groups in the same order
    returns:   two-sided, of Student's t
    source:    the delete-a-group jackknife (Kott 2001): unlike resamples it repeats no example,
               which both scores would take for one that is easily told
    """
    groups = len(without_a)
    differences = without_a - without_b
    deviation = float(np.sqrt((groups - 1) * differences.var()))
    if groups < 2 or a == b:
        return 1.0
    if deviation == 0:
        return 0.0
    return float(2 * stdtr(groups - 1, -abs(a - b) / deviation))
