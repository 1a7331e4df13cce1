"""The items of a job in, blocks of those without results out; blocks depend on the input only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from nlp_transfer.data.items import Item
from nlp_transfer.errors import UserError
from nlp_transfer.inference.parts import Stretch, fingerprint

# As many windows of sentences as the engine sorts by length at a time; of long texts fewer items.
# All results of a block are written at once, so this is what a killed process computes again.
_MOST_ITEMS, _MOST_CHARACTERS = 4096, 1 << 20
_MOST_OF_DOCUMENT = 4
"""Blocks that a document whose sentences are read in context may take at once."""


class InputChangedError(UserError):
    """An input is not what it was when it got some of its results."""


@dataclass(frozen=True)
class Block:
    """Items in a row, predicted together and without any others."""

    first: int
    """Number of the first of them in the input, from 0."""
    items: Sequence[Item]


class Blocks:
    """Goes through the items of a job once, by the blocks that have no results."""

    def __init__(self, items: Iterable[Item], done: Iterable[Stretch], kept: object) -> None:
        """Begin at the first item.

        done: stretches of items that have results, by their first item
        kept: where those results are, for messages
        """
        self.read = 0
        """How many items were read so far; at the end, all."""
        self._items = iter(items)
        self._ahead: Item | None = next(self._items, None)
        self._done = iter(done)
        self._kept = kept

    def missing(self) -> Iterator[Block]:
        """Yield the blocks without results.

        raises: UserError when the items that have results are not those of the input
        """
        done = self._next_done()
        while True:
            while done is not None and done.first == self.read:
                self._check(done)
                done = self._next_done()
            block = self._block(None if done is None else done.first - self.read)
            if not block.items:
                break
            yield block
        if done is not None:
            raise InputChangedError(self._changed(f"it ends after {self.read:,} items"))

    def _next_done(self) -> Stretch | None:
        """Return the next stretch that is not behind us: a part may have been copied."""
        return next((stretch for stretch in self._done if stretch.first >= self.read), None)

    def _check(self, done: Stretch) -> None:
        items = list(islice(self._following(), done.items))
        if len(items) < done.items:
            raise InputChangedError(self._changed(f"it ends after {self.read:,} items"))
        if fingerprint(items) != done.read:
            raise InputChangedError(
                self._changed(f"items {done.first + 1:,} to {done.end:,} differ")
            )

    def _changed(self, how: str) -> str:
        return (
            f"INPUT: it is not what it was when {self._kept} got its results: {how}. They are "
            "kept. Put the old input back and run the same command again, or start over with "
            "--fresh, which drops them."
        )

    def _block(self, most: int | None) -> Block:
        """Take the items up to the end of a block, or up to those that have results."""
        first, items, characters = self.read, list[Item](), 0
        while self._ahead is not None and len(items) != most:
            size = max(len(items) / _MOST_ITEMS, characters / _MOST_CHARACTERS)
            if size >= 1 and (
                size >= _MOST_OF_DOCUMENT or not _go_together(items[-1], self._ahead)
            ):
                break
            items.append(next(self._following()))
            characters += len(items[-1].as_text())
        return Block(first, items)

    def _following(self) -> Iterator[Item]:
        while (item := self._ahead) is not None:
            self._ahead = next(self._items, None)
            self.read += 1
            yield item


def _go_together(one: Item, next_one: Item) -> bool:
    return one.document is not None and one.document == next_one.document
