"""Tag schemes and spans: any scheme in, IOB2 out; IOB2 in, (type, first, last) spans out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

Scheme = Literal["iob1", "iob2", "bioes", "bilou", "io"]

# Prefix -> part of the entity: begin, inside, end (of several words), single word.
PARTS: dict[str, dict[str, str]] = {
    "iob1": {"B": "begin", "I": "inside"},
    "iob2": {"B": "begin", "I": "inside"},
    "bioes": {"B": "begin", "I": "inside", "E": "end", "S": "single"},
    "bilou": {"B": "begin", "I": "inside", "L": "end", "U": "single"},
    "io": {"I": "inside"},
}


class Span(NamedTuple):
    """One entity: its type, its first word and its last word (inclusive)."""

    type: str
    first: int
    last: int


def split_tag(tag: str) -> tuple[str, str]:
    """Split "B-PER" into ("B", "PER"); a tag without a prefix is ("", tag); "O" is ("O", "")."""
    if tag == "O":
        return "O", ""
    prefix, dash, entity_type = tag.partition("-")
    if dash and entity_type and prefix in set("BIESLU"):
        return prefix, entity_type
    return "", tag


def scheme_of(pairs: Iterable[tuple[str, str]]) -> Scheme:
    """Tell the scheme from all different pairs of a tag and the one before it, O at the start.

    Letters decide where they can. B and I alone are IOB1 if every B- follows an entity of its own
    type and some entity starts with I-; otherwise they are IOB2. Bare types are never taken for
    entities unasked: they may be parts of speech.
    """
    split = [(split_tag(before)[1], *split_tag(tag)) for before, tag in pairs]
    prefixes = {prefix for _, prefix, _ in split}
    if prefixes & {"L", "U"}:
        return "bilou"
    if prefixes & {"E", "S"}:
        return "bioes"
    starts_inside = any(prefix == "I" and before != kind for before, prefix, kind in split)
    begins = {before == kind for before, prefix, kind in split if prefix == "B"}
    return "iob1" if starts_inside and False not in begins else "iob2"


def neighbours(tags: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Pair each tag of a sentence with the one before it, O at the start."""
    return zip(("O", *tags), tags, strict=False)


def to_iob2(tags: Sequence[str], scheme: Scheme) -> tuple[list[str], list[int]]:
    """Convert the tags of one sentence.

    returns: IOB2 tags that are valid whatever came in, and the indexes of the tags that broke the
             scheme; a tag that continues nothing starts an entity, as the CoNLL scorer reads it
    """
    result: list[str] = []
    broken: set[int] = set()
    open_type = ""  # type of the entity that the next tag may continue
    unfinished = False  # bioes, bilou: an entity was begun and has not met its end
    ends_needed = scheme in ("bioes", "bilou")
    for index, tag in enumerate(tags):
        part, entity_type = _part(tag, scheme)
        continues = part in ("inside", "end") and entity_type == open_type
        if unfinished and not continues:
            broken.add(index - 1)
        if part == "outside":
            result.append("O")
        elif continues:
            result.append(f"I-{entity_type}")
        else:
            result.append(f"B-{entity_type}")
            if _is_broken_start(part, scheme):
                broken.add(index)
        open_type = "" if part in ("outside", "end", "single") else entity_type
        unfinished = ends_needed and bool(open_type)
    return result, sorted(broken | ({len(tags) - 1} if unfinished else set()))


def _part(tag: str, scheme: Scheme) -> tuple[str, str]:
    prefix, entity_type = split_tag(tag)
    if prefix == "O":
        return "outside", ""
    if scheme == "io":  # some write I-PER, some PER; in PER-x the hyphen is the type's own
        return "inside", entity_type if prefix == "I" else tag
    return PARTS[scheme].get(prefix, "inside"), entity_type


def _is_broken_start(part: str, scheme: Scheme) -> bool:
    """Tell whether an entity may not start with this part in this scheme."""
    return part in ("inside", "end") and scheme not in ("iob1", "io")


def spans(tags: Sequence[str]) -> list[Span]:
    """List the entities of valid IOB2 tags, from left to right."""
    found: list[Span] = []
    for index, tag in enumerate(tags):
        if tag == "O":  # most words, of which there may be millions
            continue
        prefix, entity_type = split_tag(tag)
        if prefix == "B":
            found.append(Span(entity_type, index, index))
        elif prefix == "I":
            found[-1] = Span(entity_type, found[-1].first, index)
    return found


def spans_of_any(tags: Sequence[str]) -> list[Span]:
    """List the entities of tags that may be invalid, and of any scheme but bare types.

    The prefixes say what a tag means, so that no scheme has to be known: the result is that of
    `spans` after `to_iob2`, at a tenth of the time where most words are no entities.
    """
    found: list[Span] = []
    open_type: str | None = None  # of the entity that the next tag may continue
    for index, tag in enumerate(tags):
        if tag == "O":
            open_type = None
            continue
        part, entity_type = _meaning(tag)
        if part in ("inside", "end") and entity_type == open_type:
            found[-1] = Span(entity_type, found[-1].first, index)
        else:
            found.append(Span(entity_type, index, index))
        open_type = None if part in ("end", "single") else entity_type
    return found


@lru_cache(maxsize=10_000)  # few tags, said over and over
def _meaning(tag: str) -> tuple[str, str]:
    """Return what part of an entity a tag is in any scheme, and the type."""
    prefix, entity_type = split_tag(tag)
    return _ANY_PART.get(prefix, "inside"), entity_type


_ANY_PART = {**PARTS["bioes"], **PARTS["bilou"]}


def tags_of(span: Span) -> list[str]:
    """Tag the words of one entity."""
    return [f"B-{span.type}", *[f"I-{span.type}"] * (span.last - span.first)]


def tags_over(length: int, entities: Iterable[Span]) -> list[str]:
    """Tag so many words, of which some are entities."""
    tags = ["O"] * length
    for span in entities:
        tags[span.first : span.last + 1] = tags_of(span)
    return tags


def iob2_labels(types: Sequence[str]) -> list[str]:
    """List O, B-x, I-x for every type: the label map of a model, never read off the train tags."""
    return ["O", *(f"{prefix}-{entity_type}" for entity_type in types for prefix in "BI")]
