"""Splits in, their sizes out: examples, words, entities, labels, lengths."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nlp_transfer.doctor.losses import counts_of
from nlp_transfer.doctor.rows import RowReader, columns
from nlp_transfer.records import Splits

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Lengths:
    """How long examples are; each figure is a length that occurs."""

    median: int = 0
    p95: int = 0
    max: int = 0


@dataclass(frozen=True)
class Summary:
    """What a split holds."""

    examples: int
    words: int
    entities: int
    documents: int
    """Runs of rows of one document."""
    labels: Mapping[str, int]
    lengths: Mapping[str, Lengths]
    """In words, and in characters; blanks between words count as one."""
    losses: Mapping[str, int]
    """What reading it cost."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def summarise(splits: Splits, split: str, read: RowReader) -> Summary:
    """Count what a split holds."""
    rows = splits[split]
    found = read.label_counts(rows)
    words = array("q", (len(own) for own in read.words(rows)))
    characters = array("q", (sum(map(len, texts)) for texts in read.texts(rows)))
    return Summary(
        examples=len(rows),
        words=sum(words),
        entities=found.total() if read.spans else 0,
        documents=_documents(rows),
        labels={name: found[name] for name in (*splits.labels, *sorted(found))},
        lengths={"words": _lengths(words), "characters": _lengths(characters)},
        losses=counts_of(splits, split),
    )


def _lengths(values: array[int]) -> Lengths:
    if not values:
        return Lengths()
    ordered, last = sorted(values), len(values) - 1
    return Lengths(ordered[last // 2], ordered[last * 95 // 100], ordered[-1])


def _documents(rows: Dataset) -> int:
    count, before = 0, None
    for (document,) in columns(rows, "document"):
        count += document is not None and document != before
        before = document
    return count
