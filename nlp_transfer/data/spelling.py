"""Tags as files and models spell them in (B_PER, PER-B, b-per, B), B-PER as we write it out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_LETTERS = frozenset("BIESLUMW")
_IN_BIOES = {"M": "I", "W": "S"}  # BMES and BMEWO have other letters for what BIOES has
_IN_BOTH = {"L": "E", "U": "S"}  # BIOES and BILOU mixed: B I E U, B I L S
_SEPARATORS = "-_:./"
TAG = re.compile(r"[OBI]|[BIESLUMW][-_]\S+|\S+[-_][BIESLUMW]", re.IGNORECASE)
"""What most tags look like, and few words do."""


class Spelling(NamedTuple):
    """Where the letter of a tag stands (B for begin, ...), and what is between it and the type."""

    separator: str = "-"
    """Empty where tags have no type: B, I, O."""
    at_end: bool = False
    """PER-B, not B-PER."""
    any_case: bool = False
    """b-per and o are read as B-per and O."""

    def split(self, tag: str) -> tuple[str, str] | None:
        """Split a tag into letter and type; outside is ("O", ""), and None does not fit."""
        if self.is_outside(tag):
            return "O", ""
        if not self.separator:
            letter, kind, fits = tag, "", True
        elif self.at_end:
            kind, _, letter = tag.rpartition(self.separator)
            fits = bool(kind)
        else:
            letter, _, kind = tag.partition(self.separator)
            fits = bool(kind)
        letter = letter.upper() if self.any_case else letter
        return (letter, kind) if fits and letter in _LETTERS else None

    def is_outside(self, tag: str) -> bool:
        """Tell the tag of a word that belongs to no entity."""
        return tag == "O" or (self.any_case and tag == "o")

    def fitting(self, tags: Iterable[str]) -> list[tuple[str, str]]:
        """List letter and type of the tags that fit and are not outside."""
        found = (self.split(tag) for tag in tags)
        return [parts for parts in found if parts and parts[0] != "O"]


STANDARD = Spelling()
_TYPELESS = (Spelling(""), Spelling("", any_case=True))
_SPELLINGS = [
    Spelling(separator, at_end, any_case)
    for any_case in (False, True)
    for at_end in (False, True)
    for separator in _SEPARATORS
]


class Spelled(NamedTuple):
    """A set of different tags, and how most of them are spelled."""

    spelling: Spelling
    letters: frozenset[str] = frozenset()
    """Of the tags that fit the spelling."""
    others: tuple[str, ...] = ()
    """Tags that do not fit it."""

    def fits_inside(self, tag: str) -> bool:
        """Tell a tag of an entity that is spelled so."""
        return (self.spelling.split(tag) or ("O", ""))[0] != "O"

    def canonical(self, tag: str, entity_type: str) -> str:
        """Write a tag as we do: B-PER, in the letters of BIOES; one that does not fit stays.

        entity_type: of tags that have none
        """
        parts = self.spelling.split(tag)
        if parts is None:
            return tag
        letter, kind = parts
        if letter == "O":
            return "O"
        if "B" in self.letters and "I" not in self.letters:
            letter = _IN_BIOES.get(letter, letter)
        if self.letters & {"E", "S"} and self.letters & {"L", "U"}:
            letter = _IN_BOTH.get(letter, letter)
        return f"{letter}-{kind or entity_type}"


AS_OURS = Spelled(STANDARD)


def told(tags: Sequence[str]) -> Spelled | None:
    """Tell how different tags are spelled: as most of them fit; None where none does."""
    inside = [tag for tag in tags if tag not in ("O", "o")]
    candidates = [*_SPELLINGS, *(s for s in _TYPELESS if _are_typeless(s, inside))]
    counts = {spelling: len(spelling.fitting(inside)) for spelling in candidates}
    best = max(candidates, key=lambda spelling: counts[spelling])  # the first of equals
    if not counts[best]:
        return None
    letters = frozenset(letter for letter, _ in best.fitting(inside))
    return Spelled(best, letters, tuple(tag for tag in tags if best.split(tag) is None))


def _are_typeless(spelling: Spelling, inside: Sequence[str]) -> bool:
    """Tell B, I and O from types that have names of one letter."""
    letters = {letter for letter, _ in spelling.fitting(inside)}
    return len(spelling.fitting(inside)) == len(inside) and ("B" in letters or letters == {"I"})


def are_tags(values: Sequence[str]) -> bool:
    """Tell tags from labels that are letters: O is among them, or types after a hyphen are."""
    fitting = [value for value in values if TAG.fullmatch(value)]
    surer = any(value == "O" or "-" in value or "_" in value for value in fitting)
    return surer and len(fitting) > len(values) / 2
