"""Offsets into a text, in the unit that a tool counts: where characters begin, what is wrong."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Literal

Unit = Literal["characters", "utf16", "utf8"]

_NAMES: Mapping[Unit, str] = {
    "characters": "character",
    "utf16": "UTF-16-unit",
    "utf8": "UTF-8-byte",
}
_MORE_THAN_ONE: Mapping[Unit, tuple[int, ...]] = {
    "utf16": (0xFFFF,),
    "utf8": (0x7F, 0x7FF, 0xFFFF),
}
"""The last code points that fit one unit, two, three."""


def borders(text: str, unit: Unit) -> Sequence[int]:
    """List where each character begins, and last where the text ends, counted in a unit."""
    if unit == "characters" or text.isascii():
        return range(len(text) + 1)
    widths = (1 + sum(ord(char) > limit for limit in _MORE_THAN_ONE[unit]) for char in text)
    return list(accumulate(widths, initial=0))


def fault(
    text: str, places: Sequence[int], start: int, end: int, given: str | None, unit: Unit
) -> str:
    """Say why no span of a text lies from `start` to `end`, or nothing.

    places: the text's borders in the unit of `start` and `end`
    given:  the characters that the span is said to cover
    """
    if start < 0:
        return "begins before the text"
    if start >= end:
        return "is empty" if start == end else "ends before it begins"
    if end > places[-1]:
        return f"past the end of a {places[-1]}-{_NAMES[unit]} text"
    first, after = bisect_left(places, start), bisect_left(places, end)
    for found, offset in ((places[first], start), (places[after], end)):
        if found != offset:
            return f"has offset {offset} inside a character, counted in {_NAMES[unit]}s"
    if not is_same(given, text[first:after]):
        return f"should cover {given!r}, but covers {text[first:after]!r}"
    return ""


def advice(text: str, start: int, end: int, given: str | None, unit: Unit) -> str:
    """Find another way to count by which a faulty span fits."""
    if start < end:
        for other in _NAMES:
            places = borders(text, other)
            if places[-1] != borders(text, unit)[-1] and not fault(
                text, places, start, end, given, other
            ):
                return f"Counted in {_NAMES[other]}s it fits: try data.offsets={other}."
    if given and start >= 0 and unit == "characters" and text[start : end + 1] == given:
        return "Ends are exclusive: add 1 to the end."
    return "Correct its offsets."


def is_same(given: str | None, covered: str) -> bool:
    """Compare all but white space, which tools rewrite and no word holds.

    Label Studio runs blanks together (its issue 3078), brat turns line breaks into blanks.
    """
    return given is None or "".join(given.split()) == "".join(covered.split())
