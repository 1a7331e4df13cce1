"""Tagged sentences in, findings about their entities out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from nlp_transfer.data.tags import Span, spans
from nlp_transfer.data.visible import shown
from nlp_transfer.doctor.characters import Fault, faults_found, says_something
from nlp_transfer.doctor.finding import Example, Finding, Tally, agree, counted
from nlp_transfer.doctor.rows import columns
from nlp_transfer.records import Splits

_LONG_ENTITY = 10
_STRONG_SHARE = 0.1
_OFTEN = 2
_SHORTEST_NAME = 3
_EDGE_MARKS = frozenset(",.;:!?…()[]{}\"'“”„‘’«»") | {"``", "''"}
_PARTNERS = {")": "(", "]": "[", "}": "{"}


class _Surface:
    """One form of words: how often it is an entity of which type, and how often it is none."""

    __slots__ = ("first", "outside", "outside_at", "types")

    def __init__(self) -> None:
        self.types: Counter[str] = Counter()
        self.first: dict[str, str] = {}
        self.outside = 0
        self.outside_at = ""


def inconsistent_types(splits: Splits) -> Iterator[Finding]:
    """Find the same words annotated as different types at different places."""
    surfaces = _surfaces(splits)
    mixed = [item for item in surfaces.items() if len(item[1].types) > 1]
    if not mixed:
        return
    odd = sum(s.types.total() - max(s.types.values()) for _, s in mixed)
    total = sum(s.types.total() for s in surfaces.values())
    mixed.sort(key=lambda item: max(item[1].types.values()) - item[1].types.total())
    strong = odd > total * _STRONG_SHARE
    yield Finding(
        "inconsistent_types",
        "warning" if strong else "info",
        f"{counted(len(mixed), 'form')} of words {agree(len(mixed), 'is', 'are')} an entity of "
        f"different types; {odd:,} of {total:,} entities are not of their form's usual type",
        "Look through them: names are ambiguous, and annotators are not always sure.",
        count=len(mixed),
        examples=tuple(
            Example(s.first[s.types.most_common()[-1][0]], f"{shown(' '.join(words))}: {_types(s)}")
            for words, s in mixed[:5]
        ),
    )


def missed_annotations(splits: Splits) -> Iterator[Finding]:
    """Find words that are an entity at some places and outside at others."""
    surfaces = {
        words: surface
        for words, surface in _surfaces(splits).items()
        if surface.types.total() >= _OFTEN and len(" ".join(words)) >= _SHORTEST_NAME
    }
    _count_outside(splits, surfaces)
    doubtful = [item for item in surfaces.items() if item[1].outside >= _OFTEN]
    if not doubtful:
        return
    doubtful.sort(key=lambda item: -min(item[1].types.total(), item[1].outside))
    yield Finding(
        "missed_annotations",
        "info",
        f"{counted(len(doubtful), 'form')} of words {agree(len(doubtful), 'is', 'are')} an entity "
        f"{_OFTEN} times or more, and outside {_OFTEN} times or more: annotations may be missing",
        "Look through the places where they are outside.",
        count=len(doubtful),
        examples=tuple(
            Example(s.outside_at, f"{shown(' '.join(words))}: {_types(s)}, outside {s.outside:,}")
            for words, s in doubtful[:5]
        ),
    )


def _types(surface: _Surface) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in surface.types.most_common())


def _surfaces(splits: Splits) -> dict[tuple[str, ...], _Surface]:
    """Collect the forms of all entities of all splits, by their words."""
    surfaces: dict[tuple[str, ...], _Surface] = {}
    for split in splits:
        for where, words, tags in columns(splits[split], "where", "words", "tags"):
            for span in spans(tags):
                form = tuple(words[span.first : span.last + 1])
                surface = surfaces.setdefault(form, _Surface())
                surface.types[span.type] += 1
                surface.first.setdefault(span.type, where)
    return surfaces


def _count_outside(splits: Splits, surfaces: dict[tuple[str, ...], _Surface]) -> None:
    """Count where the forms occur with all their words outside."""
    lengths: dict[str, set[int]] = {}
    for form in surfaces:
        lengths.setdefault(form[0], set()).add(len(form))
    for split in splits:
        for where, words, tags in columns(splits[split], "where", "words", "tags"):
            for start, word in enumerate(words):
                if tags[start] != "O" or word not in lengths:
                    continue
                for length in lengths[word]:
                    surface = surfaces.get(tuple(words[start : start + length]))
                    if surface and set(tags[start : start + length]) == {"O"}:
                        surface.outside += 1
                        surface.outside_at = surface.outside_at or where


_SHAPES: dict[str, Fault] = {
    "entities_of_punctuation": Fault(
        "warning", "of punctuation only", "Check their tags: they look one line off."
    ),
    "punctuation_at_edges": Fault(
        "info",
        "beginning or ending with punctuation",
        "Check their borders: strict scores need them exact.",
    ),
    "long_entities": Fault(
        "info", f"of more than {_LONG_ENTITY} words", "Check that no O is missing inside."
    ),
    "adjacent_entities": Fault(
        "info",
        "right after another of the same type",
        "Check that the B- is meant: many an annotation tool writes one for every word.",
    ),
}


def shapes(splits: Splits) -> Iterator[Finding]:
    """Find entities whose words or borders look like slips."""
    for split in splits:
        tallies = {code: Tally() for code in _SHAPES}
        for where, words, tags in columns(splits[split], "where", "words", "tags"):
            before: Span | None = None
            for span in spans(tags):
                form = words[span.first : span.last + 1]
                for code in _odd_shapes(span, form, before):
                    start = before.first if before and code == "adjacent_entities" else span.first
                    around = shown(" ".join(words[start : span.last + 1]))
                    tallies[code].add(where, f"{around} {span.type}")
                before = span
        yield from faults_found(tallies, _SHAPES, split, "entity", "entities")


def _odd_shapes(span: Span, form: Sequence[str], before: Span | None) -> Iterator[str]:
    """Yield the codes of _SHAPES that apply to an entity, given the entity before it."""
    if not says_something("".join(form)):
        yield "entities_of_punctuation"
    elif _has_odd_edge(form):
        yield "punctuation_at_edges"
    if len(form) > _LONG_ENTITY:
        yield "long_entities"
    if before and before.last + 1 == span.first and before.type == span.type:
        yield "adjacent_entities"


def _has_odd_edge(form: Sequence[str]) -> bool:
    """Tell whether an entity begins or ends with punctuation that hardly belongs to it."""
    first, last = form[0], form[-1]
    if last in _EDGE_MARKS and _PARTNERS.get(last, last) not in form[:-1]:
        return True
    closers = [closer for closer, opener in _PARTNERS.items() if opener == first]
    return first in _EDGE_MARKS and not {first, *closers} & set(form[1:])
