"""The name of a label in, the words that it is made of out."""

from __future__ import annotations

import re
import unicodedata


def in_words(name: str) -> str:
    """Write a label as words.

    >>> in_words("card_arrival"), in_words("ProgrammingLanguage"), in_words("हिन्दी_भाषा")
    ('card arrival', 'programming language', 'हिन्दी भाषा')
    """
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join("".join(c if _is_of_words(c) else " " for c in parted).split()).lower() or name


def _is_of_words(character: str) -> bool:
    """Tell letters, digits, and the marks and joiners that many scripts write words with."""
    return character.isalnum() or unicodedata.category(character) in ("Mn", "Mc", "Cf")
