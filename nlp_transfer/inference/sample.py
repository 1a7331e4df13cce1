"""A split in, a few of its examples that stand for all of them out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.doctor.rows import RowReader, digest

if TYPE_CHECKING:
    from datasets import Dataset

_SURE = 2
"""Examples of every label that come before all others."""


@dataclass(frozen=True)
class Sample:
    """Some of the examples of a split, in its order."""

    rows: Dataset
    groups: NDArray[np.int64]
    """(examples,): in which of several groups, alike in their labels, each example is."""


def draw_sample(
    rows: Dataset, read: RowReader, *, examples: int, words: int, groups: int
) -> Sample:
    """Draw examples in which labels are as frequent as in the split, and none is missing.

    What is drawn is decided by hashes of texts and labels: it is the same whatever the order of the
    rows, and drawn by nobody's seed.

    examples, words: the most that are drawn; at least one example is
    groups:          how many there are to be
    """
    answers = [tuple(answer or ()) for answer in read.answers(rows)]
    counts = Counter(label for answer in answers for label in set(answer))
    rarest = [min(answer, key=lambda label: (counts[label], label), default="")
              for answer in answers]  # fmt: skip
    pairs = zip(read.texts(rows), answers, strict=True)
    keys = [digest(*texts, "", *answer) for texts, answer in pairs]
    strata, met = Counter(rarest), Counter[str]()
    place: dict[int, tuple[float, int]] = {}
    for number in sorted(range(len(rows)), key=keys.__getitem__):
        before = met[rarest[number]]
        met[rarest[number]] += 1
        share = max(0, before + 1 - _SURE) / strata[rarest[number]]
        place[number] = share, keys[number]
    drawn = _first(sorted(place, key=place.__getitem__), read, rows, examples, words)
    by_label = sorted(drawn, key=lambda number: (rarest[number], keys[number]))
    of_row = {number: turn % groups for turn, number in enumerate(by_label)}
    return Sample(
        rows.select(sorted(drawn)), np.array([of_row[number] for number in sorted(drawn)])
    )


def _first(
    order: list[int], read: RowReader, rows: Dataset, examples: int, words: int
) -> list[int]:
    """Take examples until there are enough, or enough of their words."""
    lengths = [len(of_row) for of_row in read.words(rows)]
    total = np.cumsum([lengths[number] for number in order])
    return order[: max(1, min(examples, int(np.searchsorted(total, words, side="right"))))]
