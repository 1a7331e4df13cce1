"""Outcomes of the runs of two sides in, their figures on other test sets, or swapped, out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, hstack

from nlp_transfer.metrics.outcomes import Outcomes, figures

Floats = NDArray[np.float64]

_BLOCK = 2_000_000
"""Numbers that are held at once, 8 bytes each."""
_CLOSE = 1e-12
"""Differences that are the same but for rounding."""


@dataclass(frozen=True)
class Drawn:
    """What test sets of the same size might have said, the seeds being what they are."""

    differences: Floats
    """(samples, 1 + groups): b minus a, means of the runs; the headline first"""
    run_variances: Floats
    """(runs, 1 + groups): of what a run is above the mean of its side"""


class TwoSides:
    """The runs of two sides on one test set, as counts that can be summed over any examples.

    sizes:  how many runs each side has
    values: (runs, 1 + groups) figures of each side
    """

    def __init__(self, a: Sequence[Outcomes], b: Sequence[Outcomes]) -> None:
        self.sizes = len(a), len(b)
        self.values = [np.stack([run.values for run in side]) for side in (a, b)]
        self._average, self._groups = a[0].average, len(a[0].groups)
        self._runs = [_correct_and_found(run) for run in (*a, *b)]

    def bootstrap(self, samples: int, random: np.random.Generator) -> Drawn:
        """Draw examples with replacement, as many as there are, the same ones for every run."""
        rows, which = _patterns(csr_array(hstack(self._runs)))
        examples, kinds = len(which), rows.shape[0]
        columns = rows.T.tocsr()
        differences = []
        sums = np.zeros((2, len(self._runs), 1 + self._groups))  # of deviations and their squares
        for size in _blocks(samples, max(examples, columns.shape[0])):
            chosen = which[random.integers(0, examples, (size, examples))]
            chosen += kinds * np.arange(size)[:, None]
            times = np.bincount(chosen.ravel(), minlength=size * kinds).reshape(size, kinds)
            sums_of_runs = columns @ times.T.astype(np.float64)
            sides = np.split(self._figures(sums_of_runs, len(self._runs)), self.sizes[:1])
            means = [side.mean(axis=0) for side in sides]
            differences.append((means[1] - means[0]).T)
            above = np.concatenate([side - mean for side, mean in zip(sides, means, strict=True)])
            sums += above.sum(axis=-1), (above**2).sum(axis=-1)
        mean, square = sums / samples
        return Drawn(np.concatenate(differences), square - mean**2)

    def swapped(self, samples: int, random: np.random.Generator, noise: Floats) -> Floats:
        """Swap what the sides make of an example, each with probability 1/2, and compare.

        Counts of several runs are averaged first; for one run a side nothing changes by that.

        noise:   (samples, 1 + groups) to be added to the differences that come about by chance
        returns: (1 + groups,): how many of these are as large as the difference that was found
        """
        a, b = (sum(side[1:], side[0]) / len(side)
                for side in (self._runs[: self.sizes[0]], self._runs[self.sizes[0] :]))  # fmt: skip
        change = csr_array(b - a)
        change = change[np.flatnonzero(np.diff(change.indptr))]  # of the others it is none
        columns = change.T.tocsr()
        totals = [np.asarray(side.sum(axis=0)).reshape(-1, 1) for side in (a, b)]
        found = np.abs(self._difference(*totals)) - _CLOSE
        as_large, done = np.zeros(1 + self._groups), 0
        for size in _blocks(samples, max(change.shape)):
            swaps = random.integers(0, 2, (change.shape[0], size), dtype=np.int8)
            moved = columns @ swaps.astype(np.float64)
            by_chance = self._difference(totals[0] + moved, totals[1] - moved)
            by_chance += noise[done : done + size].T
            as_large += (np.abs(by_chance) >= found).sum(axis=1)
            done += size
        return as_large

    def _figures(self, sums: Floats, runs: int) -> Floats:
        """Compute figures of (runs * 2 * groups, draws): (runs, 1 + groups, draws)."""
        by_run = sums.reshape(runs, 2, self._groups, sums.shape[-1])
        return figures(by_run[:, 0], by_run[:, 1], self._average)

    def _difference(self, a: Floats, b: Floats) -> Floats:
        return np.asarray(self._figures(b, 1)[0] - self._figures(a, 1)[0])


def _correct_and_found(run: Outcomes) -> csr_array:
    """Return (examples, 2 * groups): correct ones, predicted and gold ones together."""
    correct, predicted, gold = run.counts.T
    shape = len(run), len(run.groups)
    place = run.example, run.group
    halves = [coo_array((n, place), shape=shape) for n in (correct, predicted + gold)]
    return csr_array(hstack(halves)).astype(np.float64)


def _patterns(rows: csr_array) -> tuple[csr_array, NDArray[np.int64]]:
    """Find the different rows, of which there are far fewer than examples.

    returns: these, and which of them each example is
    """
    # Equal hashes of 64 bits: once in 10^9 test sets of 100,000 sentences that all differ.
    factors = np.random.default_rng(0).integers(1, 2**63, rows.shape[1], dtype=np.int64) | 1
    _, first, which = np.unique(
        rows.astype(np.int64) @ factors, return_index=True, return_inverse=True
    )
    return rows[first], which


def _blocks(samples: int, width: int) -> Iterator[int]:
    """Divide resamples into blocks that memory holds."""
    size = max(1, _BLOCK // max(width, 1))
    for start in range(0, samples, size):
        yield min(size, samples - start)
