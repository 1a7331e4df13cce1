"""The name of a label in, the words that it is made of out."""

from __future__ import annotations

import re


def in_words(name: str) -> str:
    """Write a label as words.

    >>> in_words("card_arrival"), in_words("ProgrammingLanguage")
    ('card arrival', 'programming language')
    """
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.split(r"[\W_]+", parted)).strip().lower() or name
