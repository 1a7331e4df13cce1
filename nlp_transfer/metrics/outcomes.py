"""What was right of each example in; figures, and counts that can be summed in any way, out."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Average = Literal["micro", "macro"]
"""micro: of the counts of all groups; macro: the mean over the groups that occur."""

Counts = Mapping[str, Sequence[int]]
"""By group, a type or label: how many were correct, predicted, gold."""


class Judgement(NamedTuple):
    """What scoring needs of one example."""

    counts: Counts
    right: bool
    """Whether all of it is as in gold."""
    content: str = ""
    """Text and gold, as one string: what is the same of two predictions for one test set."""


@dataclass(frozen=True)
class Outcomes:
    """What scoring needs of each example of a split; memory grows with what is labelled in them.

    cells: one for each example and group that has any count
    """

    figure: str
    """What people call the headline: "entity F1"."""
    average: Average
    groups: tuple[str, ...]
    """Types or labels of gold or predictions, sorted."""
    example: NDArray[np.int32]
    """(cells,), rising"""
    group: NDArray[np.int32]
    """(cells,) indexes of groups"""
    counts: NDArray[np.int32]
    """(cells, 3): correct, predicted, gold"""
    right: NDArray[np.bool_]
    """(examples,): whether all of an example is as in gold"""

    @classmethod
    def of(cls, figure: str, average: Average, judgements: Iterable[Judgement]) -> Outcomes:
        """Collect what is right of each example, in order."""
        known: dict[str, int] = {}
        example, group, counts, right = array("i"), array("i"), array("i"), array("b")
        for number, judgement in enumerate(judgements):
            for name, line in judgement.counts.items():
                example.append(number)
                group.append(known.setdefault(name, len(known)))
                counts.extend(line)
            right.append(judgement.right)
        groups = tuple(sorted(known))
        place = np.empty(len(known), np.int32)
        place[[known[name] for name in groups]] = np.arange(len(known))
        return cls(
            figure,
            average,
            groups,
            np.array(example, np.int32),
            place[np.array(group, np.int32)],
            np.array(counts, np.int32).reshape(-1, 3),
            np.array(right, np.bool_),
        )

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.right)

    @cached_property
    def totals(self) -> NDArray[np.float64]:
        """(3, groups): correct, predicted, gold of all examples."""
        size = len(self.groups)
        sums = [np.bincount(self.group, line, size) for line in self.counts.T]
        return np.stack(sums).astype(np.float64)  # integers where nothing is counted

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """(1 + groups,): the headline, and F1 of each group."""
        correct, predicted, gold = self.totals[..., None]
        return figures(correct, predicted + gold, self.average)[:, 0]

    @property
    def value(self) -> float:
        """The headline, from 0 to 1; 0 where nothing is there to find."""
        return float(self.values[0])

    @property
    def per_group(self) -> dict[str, float]:
        """F1 of each group."""
        return dict(zip(self.groups, self.values[1:].tolist(), strict=True))

    def among(self, groups: Sequence[str]) -> Outcomes:
        """Number the groups as in a longer sorted list that has them all."""
        index = {name: number for number, name in enumerate(groups)}
        place = np.array([index[name] for name in self.groups], np.int32)
        return Outcomes(
            self.figure, self.average, tuple(groups), self.example,
            place[self.group], self.counts, self.right,
        )  # fmt: skip


def figures(
    correct: NDArray[np.float64], found: NDArray[np.float64], average: Average
) -> NDArray[np.float64]:
    """Compute F1 of groups and over them.

    correct: (..., groups, draws)
    found:   (..., groups, draws): predicted and gold ones together
    returns: (..., 1 + groups, draws), the headline first
    """
    by_group = f1(correct, found)
    if average == "micro":
        over_all = f1(correct.sum(axis=-2), found.sum(axis=-2))
    else:
        occur = np.count_nonzero(found, axis=-2)
        over_all = by_group.sum(axis=-2) / np.maximum(occur, 1)
    return np.concatenate([over_all[..., None, :], by_group], axis=-2)


def f1(correct: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute F1, 2 * correct / found, each; 0 where nothing is there to find.

    correct: of any shape
    found:   of the same: predicted and gold ones together
    """
    return np.divide(2 * correct, found, out=np.zeros_like(found), where=found != 0)
