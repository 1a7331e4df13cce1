"""Character spans of a text in; words, IOB2 tags and what they could not hold out."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from nlp_transfer.data import offsets
from nlp_transfer.data.tags import Span, tags_over
from nlp_transfer.data.words import Word, split_words
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import LossLedger

_STARTS = ("start", "start_offset")
_ENDS = ("end", "end_offset")
_LABELS = ("label", "labels", "type", "tag", "entity_type")
_EXPECTED = 'expected [start, end, "TYPE"] or {"start": 0, "end": 5, "label": "TYPE"}'


class CharSpan(NamedTuple):
    """One entity as annotation tools write it: offsets in their own unit, the end exclusive."""

    start: int
    end: int
    type: str
    text: str | None
    """The characters that the tool says it covers, where it says so."""
    whole: bool = True
    """Not in pieces with other words between them, as brat has them."""

    def __str__(self) -> str:
        return f"span {self.start}-{self.end} ({self.type})"


class Aligned(NamedTuple):
    """The words of one text, and its entities over them."""

    words: list[str]
    tags: list[str]
    """IOB2, one a word."""
    losses: LossLedger
    """Spans trimmed and expanded, entities dropped."""
    lost: list[str]
    """Types of the entities dropped."""


class _Entity(NamedTuple):
    """A span whose offsets are code points, and the words it touches, the last one inclusive."""

    span: CharSpan
    first: int
    last: int


def read_spans(value: object, where: str) -> list[CharSpan]:
    """Read a list of spans as annotation tools export them.

    value:  [start, end, "TYPE"], or objects with start and end (start_offset, end_offset), a label
            (labels, type, tag, entity_type), and perhaps the text they cover, or the pieces of an
            entity with other words between them
    raises: UserError that numbers the faulty span, from 1
    """
    if not isinstance(value, list | tuple):
        raise UserError(
            f"{where}: the spans are {value!r}; they must be a list of [start, end, type]. Name "
            "their column with data.columns.spans=COLUMN; if these are classes of whole texts, "
            "this is data for task=classification."
        )
    return [_read_span(item, f"{where}: span {number}") for number, item in enumerate(value, 1)]


def to_words(text: str, spans: Sequence[CharSpan], *, where: str, data: DataSection) -> Aligned:
    """Split a text into words, and lay its spans over them.

    data:   offsets says what the spans count, misaligned and overlapping what becomes of spans
            that words or IOB2 tags cannot hold
    raises: UserError for a span that does not lie in the text, or is not to be changed or dropped
    """
    words = split_words(text, data.words)
    exact = _in_code_points(text, spans, data.offsets, where)
    trimmed = [_trim(text, span, where) for span in exact]
    entities, cut = [], []
    for span in dict.fromkeys(trimmed):
        entity = _over_words(span, words)
        if _is_aligned(text, entity, words) or data.misaligned == "expand":
            entities.append(entity)
        elif data.misaligned == "drop":
            cut.append(span)
        else:
            raise _misaligned(text, entity, words, where)
    kept = _without_overlaps(entities, data, where)
    lost = [*cut, *(entity.span for entity in entities if entity not in kept)]
    losses = LossLedger(
        spans_trimmed=sum(before != after for before, after in zip(exact, trimmed, strict=True)),
        spans_expanded=sum(not _is_aligned(text, entity, words) for entity in kept),
        entities_dropped=len(lost),
    )
    tags = tags_over(len(words), (Span(span.type, first, last) for span, first, last in kept))
    return Aligned([word.text for word in words], tags, losses, [span.type for span in lost])


def _read_span(item: object, where: str) -> CharSpan:
    text = pieces = None
    if isinstance(item, Mapping):
        start, end, label = (
            next((item[key] for key in keys if item.get(key) is not None), None)
            for keys in (_STARTS, _ENDS, _LABELS)
        )
        text, pieces = item.get("text"), item.get("pieces")
    elif isinstance(item, list | tuple) and len(item) == 3:
        start, end, label = item
    else:
        raise UserError(f"{where} is {item!r}; {_EXPECTED}.")
    if text is not None and not isinstance(text, str):
        raise UserError(f"{where}: its text is {text!r}; it must be a string.")
    start, end = _read_offset(start, where), _read_offset(end, where)
    return CharSpan(start, end, _read_type(label, where), text, whole=not pieces)


def _read_offset(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{where}: its offset {value!r} is not a whole number; {_EXPECTED}.")
    return value


def _read_type(label: object, where: str) -> str:
    if isinstance(label, list | tuple):
        if len(label) != 1:
            raise UserError(
                f"{where} has {len(label)} labels, {label!r}; an entity has one type. Keep one."
            )
        label = label[0]
    if not isinstance(label, str) or not label.strip():
        raise UserError(f"{where}: its label is {label!r}; it must be the name of a type.")
    if any(unicodedata.category(char) == "Cc" for char in label.strip()):
        raise UserError(f"{where}: its label {label!r} holds a line break or control character.")
    return label.strip()


def _in_code_points(
    text: str, spans: Sequence[CharSpan], unit: offsets.Unit, where: str
) -> list[CharSpan]:
    """Check spans against the text, and count their offsets in code points; no text left."""
    borders = offsets.borders(text, unit)
    result = []
    for span in spans:
        start, end, _, covered, _ = span
        if fault := offsets.fault(text, borders, start, end, covered, unit):
            hint = offsets.advice(text, start, end, covered, unit)
            raise UserError(f"{where}: {span} {fault}. {hint}")
        start, end = (bisect_left(borders, offset) for offset in (start, end))
        result.append(span._replace(start=start, end=end, text=None))
    return result


def _trim(text: str, span: CharSpan, where: str) -> CharSpan:
    """Cut off outer white space, which belongs to no word."""
    covered = text[span.start : span.end]
    if not covered.strip():
        raise UserError(f"{where}: {span} covers white space only, {covered!r}. Remove it.")
    start = span.end - len(covered.lstrip())
    return span._replace(start=start, end=start + len(covered.strip()))


def _over_words(span: CharSpan, words: Sequence[Word]) -> _Entity:
    """Find the words that a span touches: one at least, for it holds more than white space."""
    first = bisect_right(words, span.start, key=lambda word: word.end)
    last = bisect_left(words, span.end, key=lambda word: word.start) - 1
    return _Entity(span, first, last)


def _is_aligned(text: str, entity: _Entity, words: Sequence[Word]) -> bool:
    """Tell whether a span has all that can be seen of its first and last word."""
    span, first, last = entity
    start, end = words[first].start, words[last].end
    missed = text[start : span.start] + text[span.end : end]
    return span.whole and all(unicodedata.category(char) == "Cf" for char in missed)


def _misaligned(text: str, entity: _Entity, words: Sequence[Word], where: str) -> UserError:
    span = entity.span
    if not span.whole:
        return UserError(
            f"{where}: {span} is in pieces; words have one tag each and cannot hold it. Make it "
            "one piece, take all from its first to its last word with data.misaligned=expand, or "
            "leave such entities out (and count them as missed) with data.misaligned=drop."
        )
    begins_inside = words[entity.first].start < span.start
    word = words[entity.first if begins_inside else entity.last].text
    verb = "begins" if begins_inside else "ends"
    return UserError(
        f"{where}: {span}, {text[span.start : span.end]!r}, {verb} inside the word {word!r}. "
        "Correct its offsets, take whole words with data.misaligned=expand, or leave such "
        "entities out (and count them as missed) with data.misaligned=drop."
    )


def _without_overlaps(entities: list[_Entity], data: DataSection, where: str) -> set[_Entity]:
    """Refuse entities that share a word, or keep the longest of them, the first of equals."""
    in_order = sorted(entities, key=lambda entity: entity[1:])
    for left, right in _overlaps(in_order):
        if data.overlapping == "refuse":
            raise UserError(
                f"{where}: {left.span} and {right.span} overlap or share a word; a word has one "
                "tag. Remove one, or keep the longest with data.overlapping=longest."
            )
    kept: list[_Entity] = []  # in the order of their words
    for entity in sorted(in_order, key=lambda entity: entity.span.start - entity.span.end):
        at = bisect_right(kept, entity.first, key=lambda other: other.first)
        before, after = kept[at - 1 : at], kept[at : at + 1]
        if all(e.last < entity.first for e in before) and all(entity.last < e.first for e in after):
            kept.insert(at, entity)
    return set(kept)


def _overlaps(in_order: list[_Entity]) -> Iterator[tuple[_Entity, _Entity]]:
    """Pair neighbours that share a word: where any two entities do, two neighbours do."""
    for left, right in pairwise(in_order):
        if right.first <= left.last:
            yield left, right
