"""Splits in, what of the scored ones is not new to a model, or cannot all be right, out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from nlp_transfer.doctor.duplicates import LEAKS
from nlp_transfer.doctor.finding import agree, counted
from nlp_transfer.doctor.rows import content_key, digest, is_ner, labelled, loose_key
from nlp_transfer.records import Repeats, Splits

if TYPE_CHECKING:
    from datasets import Dataset


def count_repeats(splits: Splits, scored: Sequence[str]) -> dict[str, Repeats]:
    """Count the repeats of each scored split; texts are compared as `nlpt inspect` does.

    Only scored splits are kept, as hashes, so that memory does not grow with train.
    """
    own = {split: _Scored(splits[split]) for split in scored}
    for source, others in LEAKS:
        readers = [own[split] for split in others if split in own]
        if source not in splits or not readers:
            continue
        for _, text, labels in labelled(splits[source]):
            key = loose_key(text)
            for reader in readers:
                reader.compare(source, key, text, labels)
    return {split: found.repeats() for split, found in own.items()}


class _Scored:
    """A scored split, and which of its texts were met in others."""

    def __init__(self, rows: Dataset) -> None:
        self._ner = is_ner(rows)
        self._texts: list[int] = []
        self._contents: list[int] = []
        self._answers: dict[int, int] = {}
        self._contradicted: set[int] = set()
        self._met: defaultdict[str, set[int]] = defaultdict(set)
        examples = set()
        for _, text, labels in labelled(rows):
            self._texts.append(loose_key(text))
            self._contents.append(self._content(text, labels))
            examples.add(loose_key(text, "\0".join(labels or ())))
        self._known = frozenset(self._texts)
        self._duplicates = len(self._texts) - len(examples)

    def compare(self, source: str, key: int, text: str, labels: list[str] | None) -> None:
        """Take note of a row of another split.

        key: from `loose_key`
        """
        if key in self._known:
            self._met[source].add(key)
            self._content(text, labels)

    def _content(self, text: str, labels: list[str] | None) -> int:
        """Compare the labels of a text with those that it had before, and return its key."""
        if labels is None:
            return 0
        key, answer = content_key(text, labels, ner=self._ner), digest(*labels)
        if self._answers.setdefault(key, answer) != answer:
            self._contradicted.add(key)
        return key

    def repeats(self) -> Repeats:
        """Count what was met."""
        train, validation = self._met["train"], self._met["validation"]
        return Repeats(
            in_train=sum(key in train for key in self._texts),
            in_validation=sum(key in validation for key in self._texts),
            duplicates=self._duplicates,
            conflicts=sum(key in self._contradicted for key in self._contents),
            seen=tuple(
                row for row, key in enumerate(self._texts) if key in train or key in validation
            ),
        )


def leaks(repeats: Mapping[str, int], of: str) -> str | None:
    """Say how many examples are not new to the model; None where all are.

    of: "465 sentences"
    """
    places = {split: repeats[f"in_{split}"] for split in ("train", "validation")}
    found = {split: count for split, count in places.items() if count}
    if not found:
        return None
    where = " or ".join(found)
    each = f" ({', '.join(f'{s}: {n:,}' for s, n in found.items())})" if len(found) > 1 else ""
    verb = agree(repeats["seen"], "is", "are")
    return f"{repeats['seen']:,} of {of} {verb} in {where} too{each}"


def doubts(repeats: Mapping[str, int], of: str, *, ner: bool) -> Iterator[str]:
    """Say what else repeats, where something does.

    of: "465 sentences"
    """
    if count := repeats["duplicates"]:
        yield f"{count:,} of {of} {agree(count, 'repeats', 'repeat')} an earlier one"
    if count := repeats["conflicts"]:
        kind = "tags" if ner else "labels"
        yield f"{count:,} of {of} {agree(count, 'has', 'have')} different {kind} at another place"


def amount(examples: int, *, ner: bool) -> str:
    """Say how many examples a split has: "465 sentences"."""
    return counted(examples, "sentence" if ner else "text")
