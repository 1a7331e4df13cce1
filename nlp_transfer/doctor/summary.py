"""Splits in, their sizes out: examples, words, entities, labels, lengths."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.label_counts import label_counts
from nlp_transfer.doctor.losses import counts_of
from nlp_transfer.doctor.rows import columns, is_ner
from nlp_transfer.records import Splits

if TYPE_CHECKING:
    from datasets import Dataset


def summarise(splits: Splits, split: str) -> dict[str, Any]:
    """Count what a split holds, as `nlpt inspect --json` names it."""
    rows = splits[split]
    found = label_counts(rows)
    words, characters = _lengths(rows)
    return {
        "examples": len(rows),
        "words": sum(words),
        "entities": found.total() if is_ner(rows) else 0,
        "documents": _documents(rows),
        "labels": {name: found[name] for name in (*splits.labels, *sorted(found))},
        "lengths": {"words": _distribution(words), "characters": _distribution(characters)},
        "losses": counts_of(splits, split),
    }


def _lengths(rows: Dataset) -> tuple[array[int], array[int]]:
    """Return the words and the characters of each row; blanks between words count as one."""
    words, characters = array("q"), array("q")
    if is_ner(rows):
        for (sentence,) in columns(rows, "words"):
            words.append(len(sentence))
            characters.append(sum(map(len, sentence)) + max(0, len(sentence) - 1))
    else:
        for pair in columns(rows, "text", "text_pair"):
            words.append(sum(len((text or "").split()) for text in pair))
            characters.append(sum(len(text or "") for text in pair))
    return words, characters


def _distribution(values: array[int]) -> dict[str, int]:
    """Return median, 95th percentile and maximum, each a length that occurs."""
    if not values:
        return {"median": 0, "p95": 0, "max": 0}
    ordered = sorted(values)
    return {
        "median": ordered[(len(ordered) - 1) // 2],
        "p95": ordered[(len(ordered) - 1) * 95 // 100],
        "max": ordered[-1],
    }


def _documents(rows: Dataset) -> int:
    """Count the runs of rows of one document."""
    count, before = 0, None
    for (document,) in columns(rows, "document"):
        count += document is not None and document != before
        before = document
    return count
