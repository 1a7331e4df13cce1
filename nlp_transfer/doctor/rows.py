"""Rows of a split in, what the checks compare and show of them out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from nlp_transfer.data.tables import batches

if TYPE_CHECKING:
    from datasets import Dataset


def columns(rows: Dataset, *names: str) -> Iterator[tuple[Any, ...]]:
    """Go through some columns row by row, reading them in batches."""
    for batch in batches(rows, list(names)):
        yield from zip(*(batch[name] for name in names), strict=True)


def is_ner(rows: Dataset) -> bool:
    """Tell tagged sentences from texts."""
    return "words" in rows.column_names


def noun(rows: Dataset) -> str:
    """Name one row."""
    return "sentence" if is_ner(rows) else "text"


def texts(rows: Dataset) -> Iterator[tuple[str, str]]:
    """Yield (where, text) of every row: words joined by blanks, both texts of a pair."""
    if is_ner(rows):
        for where, words in columns(rows, "where", "words"):
            yield where, " ".join(words)
        return
    for where, text, pair in columns(rows, "where", "text", "text_pair"):
        yield where, _both(text, pair)


def labelled(rows: Dataset) -> Iterator[tuple[str, str, list[str] | None]]:
    """Yield (where, text, tags or labels in a fixed order) of every row."""
    if is_ner(rows):
        for where, words, tags in columns(rows, "where", "words", "tags"):
            yield where, " ".join(words), tags
        return
    for where, text, pair, labels in columns(rows, "where", "text", "text_pair", "labels"):
        yield where, _both(text, pair), labels if labels is None else sorted(labels)


def _both(text: str, pair: str | None) -> str:
    return text if pair is None else f"{text} | {pair}"


class Keys(NamedTuple):
    """Hashes of a text at three levels of likeness, so that no text has to be kept."""

    exact: int
    blanks: int
    """The same for texts that differ in white space only."""
    loose: int
    """The same for texts that differ in white space, case or compatibility forms (NFKC)."""


def keys_of(text: str, labels: str = "") -> Keys:
    """Hash a text and perhaps its labels; with 128 bits equal keys mean equal texts."""
    stripped = " ".join(text.split())
    folded = _folded(stripped)
    exact = digest(text, labels)
    blanks = exact if stripped == text else digest(stripped, labels)
    return Keys(exact, blanks, blanks if folded == stripped else digest(folded, labels))


def loose_key(text: str, labels: str = "") -> int:
    """Hash a text as `keys_of` does at its loosest level."""
    return digest(_folded(text), labels)


def content_key(text: str, labels: Sequence[str], *, ner: bool) -> int:
    """Hash what should have one answer; the case of a word may well decide its tag."""
    # The number of words is part of it, for a word may hold blanks.
    return digest(text, str(len(labels))) if ner else loose_key(text)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def digest(*texts: str) -> int:
    """Hash texts to 128 bits."""
    data = "\0".join(texts).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=16).digest(), "big")
