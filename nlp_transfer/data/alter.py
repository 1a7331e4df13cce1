"""Words in, others in their places out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

_LEAST_LETTERS = 4
"""Shorter words are not misspelled: what is left of them might be another word."""


class Reworded:
    """Puts words of other examples in the places of some; the labels no longer hold.

    source: Jiao et al. 2020 (TinyBERT), section 3.2, with words drawn at random
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], *, share: float) -> None:
        """share: of the words at most, 0 to 1; each example draws its own."""
        words = (word for row in rows for words in _words(row).values() for word in words)
        self._words = [word for word in dict.fromkeys(words) if _has_letters(word)]
        self._share = share

    def __call__(self, row: Mapping[str, Any], seed: str) -> dict[str, Any]:
        """Return {words} or {text, text_pair} altered; the same seed gives the same."""
        rng = Random(seed)
        share = rng.uniform(0, self._share)
        altered = {
            column: [
                rng.choice(self._words) if _has_letters(word) and rng.random() < share else word
                for word in words
            ]
            for column, words in _words(row).items()
        }
        return altered if "words" in altered else {c: " ".join(w) for c, w in altered.items()}


def _words(row: Mapping[str, Any]) -> dict[str, list[str]]:
    """Split what a model reads of a row into words, by column."""
    if "words" in row:
        return {"words": row["words"]}
    return {column: row[column].split() for column in ("text", "text_pair") if row[column]}


def _has_letters(word: str) -> bool:
    return any(map(str.isalpha, word))


def misspelled(word: str, rng: Random) -> str:
    """Swap two letters that stand together, leave one out, or double one."""
    if len(word) < _LEAST_LETTERS or not word.isalpha():
        return word
    place = rng.randrange(1, len(word) - 1)  # the first letter is seldom mistyped
    before, letter, following = word[:place], word[place], word[place + 1 :]
    return rng.choice(
        (
            before + following[0] + letter + following[1:],
            before + following,
            before + letter + letter + following,
        )
    )
