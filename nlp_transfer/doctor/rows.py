"""Rows of a split in, what the checks compare and show of them out."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from nlp_transfer.data.arrow_tables import batches
from nlp_transfer.data.tags import Span
from nlp_transfer.records import Nouns, Row, Splits

if TYPE_CHECKING:
    from datasets import Dataset


def columns(rows: Dataset, *names: str) -> Iterator[tuple[Any, ...]]:
    """Go through some columns row by row, reading them in batches."""
    for batch in batches(rows, list(names)):
        yield from zip(*(batch[name] for name in names), strict=True)


class RowReader(Protocol):
    """The rows of a task, as it reads them: its face of that name."""

    @property
    def nouns(self) -> Nouns:
        """What people call the examples and what they are labelled with."""

    @property
    def case_matters(self) -> bool:
        """Whether the case of a word may well decide the answer."""

    @property
    def spans(self) -> Callable[[Dataset], Iterator[list[Span]]] | None:
        """Yields what is marked in each row, by its words; None where only rows have labels."""

    def texts(self, rows: Dataset) -> Iterator[list[str]]:
        """Yield the text of each row, or both of a pair."""

    def words(self, rows: Dataset) -> Iterator[list[str]]:
        """Yield the words of each row."""

    def answers(self, rows: Dataset) -> Iterator[list[str] | None]:
        """Yield the gold answer of each row in a fixed order; None where there is none."""

    def label_counts(self, rows: Dataset) -> Counter[str]:
        """Count how often each label is given."""

    def contrast(self, one: Row, other: Row) -> tuple[str, str]:
        """Say what two rows of the same text call it, or the first thing they call otherwise."""


def places(rows: Dataset) -> Iterator[str]:
    """Yield where each row is from."""
    return (where for (where,) in columns(rows, "where"))


def unseen_labels(read: RowReader, splits: Splits, split: str) -> int:
    """Count the gold labels of a split that train does not have; none where there is no train."""
    if "train" not in splits:
        return 0
    train = read.label_counts(splits["train"])
    found = read.label_counts(splits[split])
    return sum(count for name, count in found.items() if name not in train)


def texts(read: RowReader, rows: Dataset) -> Iterator[str]:
    """Yield the text of every row, both of a pair in one."""
    return map(" | ".join, read.texts(rows))


class Keys(NamedTuple):
    """Hashes of a text at three levels of likeness, so that no text has to be kept."""

    exact: int
    blanks: int
    """The same for texts that differ in white space only."""
    loose: int
    """The same for texts that differ in white space, case or compatibility forms (NFKC)."""


def keys_of(text: str, labels: str = "") -> Keys:
    """Hash a text and perhaps its labels; with 128 bits equal keys mean equal texts."""
    return Keys(digest(text, labels), digest(_unspaced(text), labels), loose_key(text, labels))


def loose_key(text: str, labels: str = "") -> int:
    """Hash a text as `keys_of` does at its loosest level."""
    return digest(_unspaced(unicodedata.normalize("NFKC", text).casefold()), labels)


def _unspaced(text: str) -> str:
    """Leave white space out: a period stands apart in files of words, and not in running text."""
    return "".join(text.split())


def content_key(text: str, answer: Sequence[str], read: RowReader) -> int:
    """Hash what should have one answer."""
    # The number of words is part of it, for a word may hold blanks.
    return digest(text, str(len(answer))) if read.case_matters else loose_key(text)


def digest(*texts: str) -> int:
    """Hash texts to 128 bits."""
    data = "\0".join(texts).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=16).digest(), "big")
