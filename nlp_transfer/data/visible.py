"""A text in, what can be seen of it out."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable

_LONGEST_TEXT = 80
_FILLERS = "\u115f\u1160\u3164\uffa0"  # letters of Hangul that leave no mark


def shown(text: str) -> str:
    """Quote a text for people: shortened, with a visible escape for what cannot be seen."""
    short = text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
    return f'"{"".join(map(_visible, short))}"'


def _visible(character: str) -> str:
    if character.isprintable() and not is_hidden(character):
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def is_hidden(character: str) -> bool:
    """Tell whether a character leaves no mark: control, format, or variation selector."""
    if character.isascii():
        return not character.isprintable()
    if "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return True
    return unicodedata.category(character) in ("Cf", "Cc")


def look(text: str) -> str:
    """Return what texts have in common that look the same: canonical forms, hidden characters."""
    seen = "".join(char for char in text if not (is_hidden(char) or char in _FILLERS))
    return unicodedata.normalize("NFC", " ".join(seen.split()))


def meaning(text: str) -> str:
    """Return what labels have in common that differ by case, width, blanks or punctuation too.

    Vowel signs stay: they are no letters to Unicode, and all that tells two words of Hindi apart.
    """
    folded = unicodedata.normalize("NFKC", look(text)).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LMN") or folded


def alike(names: Iterable[str], form: Callable[[str], str]) -> list[list[str]]:
    """Group the names that have the same form."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(form(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def told_apart(names: Iterable[str]) -> str:
    """Quote names that look the same so that they do not."""
    names = list(names)
    quoted = [shown(name) for name in names]
    if len({look(name) for name in quoted}) < len(quoted):
        quoted = [f'"{name.encode("unicode_escape", "surrogatepass").decode()}"' for name in names]
    return " / ".join(quoted)
