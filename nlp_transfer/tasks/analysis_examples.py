"""Examples of a split one by one in, as many as a page can hold out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.metrics.slices import Attribute
from nlp_transfer.shown import Example, Examples
from nlp_transfer.tasks.analysis import slice_name

MOST_EXAMPLES = 10_000
MOST_CHARACTERS = 3_000_000
"""Of all texts together: a page of 10,000 examples is to stay under 5 MB."""


class ExampleSelection:
    """Keeps examples for people to look through: wrong ones before right ones, first ones first."""

    def __init__(self) -> None:
        self._wrong: list[Example] = []
        self._right: list[Callable[[], Example]] = []
        self._characters = 0
        self._count = self._wrong_count = 0

    def add(self, make: Callable[[], Example], *, wrong: bool) -> None:
        """Take an example, if there is room.

        make:  builds it, now or when all are known
        wrong: whether a mistake is in it
        """
        self._count += 1
        self._wrong_count += wrong
        if not wrong and len(self._right) < MOST_EXAMPLES:
            self._right.append(make)
        elif wrong and self._has_room(len(self._wrong)):
            self._wrong.append(self._counted(make()))

    def chosen(self) -> Examples:
        """Return what was kept, in the order of the split."""
        right: list[Example] = []
        for make in self._right:
            if not self._has_room(len(self._wrong) + len(right)):
                break
            right.append(self._counted(make()))
        kept = sorted((*self._wrong, *right), key=lambda example: example.number)
        note = f"{self._wrong_count:,} of {self._count:,} have a mistake."
        if len(kept) < self._count:
            note += (
                f" The page holds {len(self._wrong):,} of these and {len(right):,} of the others; "
                "all are in predictions.jsonl."
            )
        return Examples("Examples", tuple(kept), note)

    def _counted(self, example: Example) -> Example:
        self._characters += len(example.text)
        return example

    def _has_room(self, count: int) -> bool:
        return count < MOST_EXAMPLES and self._characters < MOST_CHARACTERS


def slice_names(
    of_items: Sequence[Attribute], example: NDArray[np.int64], of_examples: Sequence[Attribute]
) -> Callable[[int], tuple[str, ...]]:
    """Return what names the slices of an example, from 0.

    of_items:    what its entities or labels are sorted by
    example:     (items,) the example of each item, rising
    of_examples: what it is itself sorted by
    """

    def names(number: int) -> tuple[str, ...]:
        first, end = np.searchsorted(example, [number, number + 1])
        found = [
            (attribute, item) for attribute in of_items for item in range(int(first), int(end))
        ]
        found += [(attribute, number) for attribute in of_examples]
        named = ((attribute.name, attribute.named(item)) for attribute, item in found)
        return tuple(dict.fromkeys(slice_name(name, value) for name, value in named if value))

    return names


def with_slices(examples: Examples, names: Callable[[int], tuple[str, ...]]) -> Examples:
    """Say of each example to which slices it belongs."""
    named = (replace(each, slices=names(each.number - 1)) for each in examples.examples)
    return replace(examples, examples=tuple(named))
