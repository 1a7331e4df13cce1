"""Tag schemes and spans: any scheme in, IOB2 out; IOB2 in, (type, first, last) spans out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

Scheme = Literal["iob1", "iob2", "bioes", "bilou", "io"]

# Prefix -> part of the entity: begin, inside, end (of several words), single word.
_PARTS = {
    "iob1": {"B": "begin", "I": "inside"},
    "iob2": {"B": "begin", "I": "inside"},
    "bioes": {"B": "begin", "I": "inside", "E": "end", "S": "single"},
    "bilou": {"B": "begin", "I": "inside", "L": "end", "U": "single"},
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


class SchemeEvidence:
    """Collects what the tags of a file say about their scheme, sentence by sentence."""

    def __init__(self) -> None:
        self.prefixes: set[str] = set()
        self._starts_inside = False
        self._begins_after_same = False
        self._begins_elsewhere = False

    def add(self, tags: Sequence[str]) -> None:
        """Look at one sentence."""
        before = ""
        for tag in tags:
            prefix, entity_type = split_tag(tag)
            self.prefixes.add(prefix)
            if prefix == "I" and before != entity_type:
                self._starts_inside = True
            if prefix == "B":
                self._begins_after_same |= before == entity_type
                self._begins_elsewhere |= before != entity_type
            before = entity_type

    def scheme(self) -> Scheme:
        """Tell the scheme.

        Prefixes decide where they can. B and I alone are IOB1 if every B- follows an entity of its
        own type and some entity starts with I-; otherwise they are IOB2. Bare types are never
        taken for entities unasked: they may be parts of speech.
        """
        if self.prefixes & {"L", "U"}:
            return "bilou"
        if self.prefixes & {"E", "S"}:
            return "bioes"
        if self._starts_inside and not self._begins_elsewhere:
            return "iob1" if self._begins_after_same or "B" not in self.prefixes else "iob2"
        return "iob2"


def detect_scheme(sentences: Iterable[Sequence[str]]) -> Scheme:
    """Tell the scheme from the tags of a whole data set."""
    evidence = SchemeEvidence()
    for tags in sentences:
        evidence.add(tags)
    return evidence.scheme()


def tag_fault(tag: str, scheme: Scheme) -> str | None:
    """Say what is wrong with a tag in its scheme, or nothing."""
    prefix, _ = split_tag(tag)
    if prefix == "O" or (prefix == "" and scheme == "io"):
        return None
    if scheme == "io":
        return None if prefix != "B" else f'scheme io has no "B-" ({tag!r}); set data.scheme=iob2'
    if prefix in _PARTS[scheme]:
        return None
    allowed = ", ".join(f"{known}-TYPE" for known in _PARTS[scheme])
    if prefix:
        return f"tag {tag!r} does not belong to the scheme {scheme} (O, {allowed})"
    head, dash, rest = tag.partition("-")
    if dash and not rest and head in set("BIESLU"):
        return f"tag {tag!r} has no type"
    if tag == "o" or (dash and rest and head in set("bieslu")):
        return (
            f"tag {tag!r} has an unknown prefix; set data.fold_case=true if these are "
            "lower-case tags"
        )
    if dash and len(head) == 1:
        return f"tag {tag!r} has an unknown prefix (O, {allowed})"
    return (
        f"tag {tag!r} is no IOB tag (O, {allowed}). If it is an entity type: data.scheme=io; if "
        "the tags are in another column: data.columns.tags=NUMBER or NAME"
    )


def fold_case(tag: str) -> str:
    """Read b-, i-, ... and o as B-, I-, ... and O."""
    prefix, dash, rest = tag.partition("-")
    if (dash and prefix in set("biesluo")) or tag == "o":
        return f"{prefix.upper()}{dash}{rest}"
    return tag


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
    return _PARTS[scheme].get(prefix, "inside"), entity_type


def _is_broken_start(part: str, scheme: Scheme) -> bool:
    """Tell whether an entity may not start with this part in this scheme."""
    return part in ("inside", "end") and scheme not in ("iob1", "io")


def spans(tags: Sequence[str]) -> list[Span]:
    """List the entities of valid IOB2 tags, from left to right."""
    found: list[Span] = []
    for index, tag in enumerate(tags):
        prefix, entity_type = split_tag(tag)
        if prefix == "B":
            found.append(Span(entity_type, index, index))
        elif prefix == "I":
            found[-1] = found[-1]._replace(last=index)
    return found


def iob2_labels(types: Sequence[str]) -> list[str]:
    """List O, B-x, I-x for every type: the label map of a model, never read off the train tags."""
    return ["O", *(f"{prefix}-{entity_type}" for entity_type in types for prefix in "BI")]
