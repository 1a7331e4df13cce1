"""Labelled texts in, altered ones whose labels still hold out (Wei and Zou 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from nlp_transfer.data.added import misspelled
from nlp_transfer.records import Row


@dataclass(frozen=True)
class ClassificationAlterations:
    """Words left out, words that change places."""

    shares: ClassVar[Mapping[str, float]] = {"drop_words": 0.1, "swap_words": 0.1}

    def of(self, train: Sequence[Row], *, typos: float, shares: Mapping[str, float]) -> TextAlterer:
        """Alter texts, each by itself."""
        return TextAlterer(typos=typos, **shares)


class TextAlterer:
    """Alters texts in ways that keep their class; every share is a chance from 0 to 1."""

    def __init__(self, *, drop_words: float, swap_words: float, typos: float) -> None:
        self._drop_words = drop_words
        self._swap_words = swap_words
        self._typos = typos

    def __call__(self, row: Mapping[str, Any], seed: str) -> dict[str, str]:
        """Return {text, text_pair} altered; the same seed gives the same."""
        rng = Random(seed)
        columns = [column for column in ("text", "text_pair") if row[column] is not None]
        return {column: " ".join(self._altered(row[column].split(), rng)) for column in columns}

    def _altered(self, words: list[str], rng: Random) -> list[str]:
        kept = [word for word in words if rng.random() >= self._drop_words] or words
        words = [misspelled(word, rng) if rng.random() < self._typos else word for word in kept]
        for first in range(len(words)):
            if rng.random() < self._swap_words:
                second = rng.randrange(len(words))
                words[first], words[second] = words[second], words[first]
        return words
