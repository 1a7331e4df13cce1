"""Splits in, what of the scored ones is not new to a model, or cannot all be right, out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nlp_transfer.doctor.duplicates import LEAKS
from nlp_transfer.doctor.finding import agree
from nlp_transfer.doctor.rows import RowReader, content_key, digest, loose_key, texts
from nlp_transfer.records import Nouns, Repeats, Splits

if TYPE_CHECKING:
    from datasets import Dataset


def count_repeats(splits: Splits, scored: Sequence[str], read: RowReader) -> dict[str, Repeats]:
    """Count the repeats of each scored split; texts are compared as `nlpt inspect` does.

    Only scored splits are kept, as hashes, so that memory does not grow with train.
    """
    own = {split: _Scored(splits[split], read) for split in scored}
    for source, others in LEAKS:
        readers = [own[split] for split in others if split in own]
        if source not in splits or not readers:
            continue
        rows = splits[source]
        for text, answer in zip(texts(read, rows), read.answers(rows), strict=True):
            key = loose_key(text)
            for reader in readers:
                reader.compare(source, key, text, answer)
    return {split: found.repeats() for split, found in own.items()}


class _Scored:
    """A scored split, and which of its texts were met in others."""

    def __init__(self, rows: Dataset, read: RowReader) -> None:
        self._read = read
        self._texts: list[int] = []
        self._contents: list[int] = []
        self._answers: dict[int, int] = {}
        self._contradicted: set[int] = set()
        self._met: defaultdict[str, set[int]] = defaultdict(set)
        examples = set()
        for text, answer in zip(texts(read, rows), read.answers(rows), strict=True):
            self._texts.append(loose_key(text))
            self._contents.append(self._content(text, answer))
            examples.add(loose_key(text, "\0".join(answer or ())))
        self._known = frozenset(self._texts)
        self._duplicates = len(self._texts) - len(examples)

    def compare(self, source: str, key: int, text: str, answer: list[str] | None) -> None:
        """Take note of a row of another split.

        key: from `loose_key`
        """
        if key in self._known:
            self._met[source].add(key)
            self._content(text, answer)

    def _content(self, text: str, answer: list[str] | None) -> int:
        """Compare the answer of a text with that which it had before, and return its key."""
        if answer is None:
            return 0
        key, hashed = content_key(text, answer, self._read), digest(*answer)
        if self._answers.setdefault(key, hashed) != hashed:
            self._contradicted.add(key)
        return key

    def repeats(self) -> Repeats:
        """Count what was met."""
        train, validation = self._met["train"], self._met["validation"]
        seen = tuple(
            row for row, key in enumerate(self._texts) if key in train or key in validation
        )
        return Repeats(
            in_train=sum(key in train for key in self._texts),
            in_validation=sum(key in validation for key in self._texts),
            duplicates=self._duplicates,
            conflicts=sum(key in self._contradicted for key in self._contents),
            seen=len(seen),
            seen_rows=seen,
        )


def leaks(repeats: Repeats, of: str) -> str | None:
    """Say how many examples are not new to the model; None where all are.

    of: "465 sentences"
    """
    found = {
        split: count
        for split, count in (("train", repeats.in_train), ("validation", repeats.in_validation))
        if count
    }
    if not found:
        return None
    where = " or ".join(found)
    each = f" ({', '.join(f'{s}: {n:,}' for s, n in found.items())})" if len(found) > 1 else ""
    return f"{repeats.seen:,} of {of} {agree(repeats.seen, 'is', 'are')} in {where} too{each}"


def doubts(repeats: Repeats, of: str, nouns: Nouns) -> Iterator[str]:
    """Say what else repeats, where something does.

    of: "465 sentences"
    """
    if count := repeats.duplicates:
        yield f"{count:,} of {of} {agree(count, 'repeats', 'repeat')} an earlier one"
    if count := repeats.conflicts:
        verb = agree(count, "has", "have")
        yield f"{count:,} of {of} {verb} different {nouns.answers} at another place"
