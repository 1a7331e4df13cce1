"""What examples or entities are sorted by, and counts, in; scores of each slice out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.metrics.bootstrap import resampled_sums
from nlp_transfer.metrics.figures import Interval, Score
from nlp_transfer.metrics.outcomes import f1

Integers = NDArray[np.int64]

MOST_VALUES = 30
"""Of an attribute; the rarer ones are scored together."""


@dataclass(frozen=True)
class Attribute:
    """What items are sorted into slices by, such as their length."""

    name: str
    values: tuple[str, ...]
    """Names of the slices, in their order."""
    codes: Integers
    """(items,) the place in `values`; -1: in none."""

    def at(self, items: Integers) -> Attribute:
        """Return the attribute of other items, each of which is one of these."""
        return replace(self, codes=self.codes[items])

    def named(self, item: int) -> str | None:
        """Name the slice of an item."""
        code = int(self.codes[item])
        return None if code < 0 else self.values[code]


def by_name(name: str, items: Sequence[str | None], *, most: int = MOST_VALUES) -> Attribute:
    """Sort items by names; None is in no slice.

    most: slices; the rarest names share the last of them
    """
    counts = Counter(item for item in items if item is not None)
    kept = [value for value, _ in counts.most_common(most - 1 if len(counts) > most else None)]
    values = tuple(sorted(kept))
    places = {value: place for place, value in enumerate(values)}
    if rarer := len(counts) - len(kept):
        values += (f"({rarer:,} others)",)
    codes = [-1 if item is None else places.get(item, len(kept)) for item in items]
    return Attribute(name, values, np.array(codes, np.int64))


def by_number(name: str, numbers: Iterable[float], ends: Sequence[int], unit: str) -> Attribute:
    """Sort items by a number into ranges.

    ends: the last number of each range but the last, rising; the first range begins at 1, or at
          `ends[0]` where that is 0
    """
    starts = [min(1, ends[0]), *(end + 1 for end in ends)]
    ranges = [_range(*pair, unit) for pair in pairwise(starts)]
    codes = np.searchsorted(np.array(ends), np.array(list(numbers), np.float64), side="left")
    return Attribute(name, (*ranges, f"{starts[-1]:,}+ {unit}"), codes.astype(np.int64))


def _range(start: int, following: int, unit: str) -> str:
    if following - start > 1:
        return f"{start:,}-{following - 1:,} {unit}"
    return f"{start:,} {unit.removesuffix('s') if start == 1 else unit}"


def slice_scores(
    attribute: Attribute,
    counts: NDArray[np.integer],
    example: Integers,
    examples: int,
    *,
    samples: int,
    seed: int = 0,
) -> dict[str, Score]:
    """Score the items of each slice by micro-averaged F1, with its interval.

    A slice without gold items is left out. Resamples that hold nothing of a slice do not count
    for its interval.
    counts:   (items, 3) correct, predicted and gold
    example:  (items,) the example of each item: whole examples are resampled
    examples: how many there are
    samples:  of the bootstrap
    """
    size = len(attribute.values)
    known = attribute.codes >= 0
    places = example[known] * size + attribute.codes[known]
    table = np.stack(
        [
            np.bincount(places, weights=column, minlength=examples * size)
            for column in counts[known].T
        ],
        axis=-1,
    ).astype(np.int32)
    table = table.reshape(examples, size, 3)
    totals = table.sum(axis=0, dtype=np.int64)
    present = np.flatnonzero(totals[:, 2])
    if not len(present):
        return {}
    resampled = resampled_sums(
        table[:, present].reshape(examples, -1), samples=samples, seed=seed
    ).reshape(samples, len(present), 3)
    return {
        attribute.values[place]: replace(
            Score.of_counts(*map(int, totals[place]), counted=True),
            f1_ci95=_interval(resampled[:, number]),
        )
        for number, place in enumerate(present)
    }


def _interval(sums: NDArray[np.float64]) -> Interval:
    """Return the 95 % percentile interval of F1.

    sums: (samples, 3) correct, predicted and gold items of each resample
    """
    held = sums[sums[:, 1] + sums[:, 2] > 0]
    if not len(held):
        return 0.0, 1.0  # nothing is known
    low, high = np.percentile(f1(held[:, 0], held[:, 1] + held[:, 2]), [2.5, 97.5])
    return float(low), float(high)
