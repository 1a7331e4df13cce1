"""A row in, the same row with other words in the places of some out."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from nlp_transfer.records import Row
from nlp_transfer.tasks.optional import Additions


class Reworded:
    """Puts words of other examples in the places of some; the labels no longer hold.

    source: Jiao et al. 2020 (TinyBERT), section 3.2, with words drawn at random
    """

    def __init__(self, rows: Sequence[Row], additions: Additions, *, share: float) -> None:
        """share: of the words at most, 0 to 1; each example draws its own."""
        self._additions = additions
        words = (word for row in rows for of in additions.words(row).values() for word in of)
        self._words = [word for word in dict.fromkeys(words) if _has_letters(word)]
        self._share = share

    def __call__(self, row: Row, seed: str) -> dict[str, Any]:
        """Return the columns of words altered; the same seed gives the same."""
        rng = Random(seed)
        share = rng.uniform(0, self._share)
        altered = {
            column: [
                rng.choice(self._words) if _has_letters(word) and rng.random() < share else word
                for word in words
            ]
            for column, words in self._additions.words(row).items()
        }
        return self._additions.joined(altered)


def _has_letters(word: str) -> bool:
    return any(map(str.isalpha, word))
