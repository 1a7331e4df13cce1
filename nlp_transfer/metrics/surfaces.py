"""Words in, how they are written and how many there are out: what texts are sliced by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nlp_transfer.metrics.slices import Attribute, by_name, by_number

CASINGS = ("lower", "Title", "UPPER", "mixed", "without case")
THIRDS = ("first third", "middle third", "last third")
_LENGTHS = (5, 10, 20, 50, 100, 200, 500)
_LONGEST = 80
"""Characters of the name of a slice."""


def casing(text: str) -> str:
    """Tell how a text is written, by those of its letters that have two cases.

    >>> [casing(text) for text in ("von", "New York", "NATO", "iPhone", "2026")]
    ['lower', 'Title', 'UPPER', 'mixed', 'without case']
    """
    if text.islower():
        return "lower"
    if text.isupper():
        return "UPPER"
    if text.istitle():
        return "Title"
    return "mixed" if text.lower() != text.upper() else "without case"


def by_casing(texts: Sequence[str | None]) -> Attribute:
    """Sort texts by how they are written."""
    places = {name: place for place, name in enumerate(CASINGS)}
    codes = [-1 if text is None else places[casing(text)] for text in texts]
    return Attribute("casing", CASINGS, np.array(codes, np.int64))


def by_length(name: str, words: Sequence[int]) -> Attribute:
    """Sort examples by how many words they have."""
    return by_number(name, words, _LENGTHS, "words")


def by_third(documents: Sequence[str | None]) -> Attribute:
    """Sort examples by the third of their document that they stand in, if it has three or more.

    documents: of each example, in the order of the split
    """
    members: dict[str, list[int]] = {}
    for number, document in enumerate(documents):
        if document is not None:
            members.setdefault(document, []).append(number)
    codes = np.full(len(documents), -1, np.int64)
    for numbers in members.values():
        if len(numbers) >= len(THIRDS):
            codes[numbers] = np.arange(len(numbers)) * len(THIRDS) // len(numbers)
    return Attribute("place_in_document", THIRDS, codes)


def by_columns(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> list[Attribute]:
    """Sort examples by columns of the data; values that begin alike for long are taken as one.

    rows: of each example a value a column, in the order of the names
    """
    return [
        by_name(f"column {name}", [_beginning(values[place]) for values in rows])
        for place, name in enumerate(names)
    ]


def _beginning(value: str | None) -> str | None:
    return None if value is None else value[:_LONGEST]
