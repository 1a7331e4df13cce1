"""A word in, the same word misspelled out."""

from __future__ import annotations

from random import Random

_LEAST_LETTERS = 4
"""Shorter words are not misspelled: what is left of them might be another word."""


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
