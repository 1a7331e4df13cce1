"""All tags of a file in, how they are read out: their spelling, their scheme, and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from nlp_transfer.data.spelling import AS_OURS, STANDARD, Spelled, Spelling, told
from nlp_transfer.data.tags import PARTS, Scheme, neighbours, scheme_of, split_tag
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

UNNAMED = "ENTITY"
"""Type of entities whose tags name none, unless the recipe does."""
_MOST_PAIRS = 100_000  # a column of words has more, and is refused whatever its pairs are
_MOST_TYPES = 1_000
_OFFERED_TYPES = 200
_BETWEEN_TAGS = re.compile(r"[|#+,;&/\s]+")
_LETTER = re.compile(r"[OBIESLUMW]", re.IGNORECASE)
_ONE_OF_SEVERAL = re.compile(r"O|[BIESLUMW][-_:].+|.+[-_:][BIESLUMW]", re.IGNORECASE)
_ELSEWHERE = "if the tags are in another column: data.columns.tags=NUMBER or NAME"


@dataclass(frozen=True)
class TagEvidence:
    """Collects the different tags of a file, each with the one before it."""

    pairs: set[tuple[str, str]] = field(default_factory=set)

    def add(self, tags: Sequence[str]) -> None:
        """Look at one sentence."""
        if len(self.pairs) < _MOST_PAIRS:
            self.pairs.update(neighbours(tags))

    def reading(self, data: DataSection, types: Sequence[str] | None) -> TagReading:
        """Tell how the tags are read, as far as the recipe does not.

        types: declared entity types; one alone names entities whose tags name none
        """
        tags = tuple(sorted({tag for _, tag in self.pairs}))
        kind = entity_type(data, types)
        spelled = told(tags)
        if data.scheme not in ("auto", "none"):
            scheme: Scheme = data.scheme  # type: ignore[assignment]
        elif spelled is None:
            scheme = "iob2"
        else:
            ours = {tag: spelled.canonical(tag, kind) for tag in ("O", *tags)}
            scheme = scheme_of({(ours[before], ours[tag]) for before, tag in self.pairs})
        return TagReading(scheme, spelled, tags, kind, data.fold_case)


@dataclass(frozen=True)
class TagReading:
    """How the tags of a file are read."""

    scheme: Scheme = "iob2"
    spelled: Spelled | None = AS_OURS
    """None where no tag has a letter for its place."""
    tags: tuple[str, ...] = ()
    """All different ones."""
    entity_type: str = UNNAMED
    """Of tags that have none."""
    fold_case: bool = False

    @property
    def is_unnamed(self) -> bool:
        """Tell whether tags have no type: B, I, O."""
        return self.spelled is not None and not self.spelled.spelling.separator

    @property
    def _has_outside(self) -> bool:
        return any(tag in ("O", "o") for tag in self.tags)

    @property
    def _are_bare(self) -> bool:
        """Tell bare types (PER; E-mail and S-bahn too) from I-PER, both read in the scheme io."""
        spelled = self.spelled
        return self.scheme == "io" and not (
            spelled and spelled.letters == {"I"} and not spelled.others
        )

    def canonical(self, tag: str) -> str:
        """Write a tag as we do, B-PER; a bare type, and what does not fit, stays as it is."""
        if self._are_bare or self.spelled is None:
            return "O" if tag == "o" and self.fold_case else tag
        return self.spelled.canonical(tag, self.entity_type)

    def check(self, place: str, *, types_declared: bool) -> None:
        """Refuse bare types that are no entities: parts of speech, or the words themselves."""
        if not self._are_bare or types_declared or not self.tags:
            return
        if self._has_outside and len(self.tags) <= _MOST_TYPES:
            return
        found = "no word is tagged O" if not self._has_outside else f"{len(self.tags):,} types"
        raise UserError(
            f"{place}: data.scheme=io takes every tag but O for an entity type, but {found} "
            f"({', '.join(self.tags[:3])}...): are these parts of speech, or words? Name the "
            "column of the entity tags with data.columns.tags=NUMBER or NAME, or, if these are "
            "entity types, list them in task.types."
        )

    def fault(self, tag: str) -> str | None:
        """Say what is wrong with a tag, or nothing."""
        if tag == "O" or (tag == "o" and self.fold_case):
            return None
        if several := _several(tag):
            return (
                f"tag {tag!r} holds {several} tags; a word has one. Keep one of them in the file, "
                "name a column that has one with data.columns.tags=NUMBER or NAME, or choose in a "
                "function of your own (data.source=module:function)"
            )
        if self._are_bare:
            return self._bare_fault(tag)
        if self.spelled is None or self.spelled.spelling.split(tag) is None:
            return self._stray_fault(tag)
        if self.spelled.spelling.any_case and not self.fold_case and self._needs_folding(tag):
            return (
                f"tag {tag!r} has an unknown prefix; set data.fold_case=true if these are "
                "lower-case tags"
            )
        letter, kind = split_tag(self.canonical(tag))
        if kind in ("O", "o") and not self._has_outside:
            return (
                f"tag {tag!r} is of the type {kind!r}, and no word is tagged O: if it is for words "
                "outside of entities, write O"
            )
        if letter == "O" or letter in PARTS[self.scheme]:
            return None
        return (
            f"tag {tag!r} does not belong to the scheme {self.scheme} ({self._allowed}); "
            "data.scheme=auto tells the scheme from the tags"
        )

    @property
    def _allowed(self) -> str:
        return ", ".join(["O", *(f"{letter}-TYPE" for letter in PARTS[self.scheme])])

    def _needs_folding(self, tag: str) -> bool:
        assert self.spelled is not None
        return self.spelled.spelling._replace(any_case=False).split(tag) is None

    def _bare_fault(self, tag: str) -> str | None:
        """Refuse letters for places in the scheme io, where they would become part of the type."""
        if _begins(STANDARD, tag) or self._has_letter(tag):
            return (
                f"scheme io has no letters for where an entity begins ({tag!r}); "
                "data.scheme=auto tells the scheme from the tags"
            )
        if tag in ("B", "I"):
            return f"tag {tag!r} has no type; beside others it cannot be read. Correct it"
        return None

    def _has_letter(self, tag: str) -> bool:
        """Tell B_PER beside I_PER, or where all are spelled so, from types like B_cell."""
        spelled = self.spelled
        if spelled is None or "B" not in spelled.letters or not spelled.fits_inside(tag):
            return False
        return not spelled.others or ("I" in spelled.letters and _begins(spelled.spelling, tag))

    def _stray_fault(self, tag: str) -> str:
        """Say what is wrong with a tag that is not spelled as the others are."""
        letter, dash, kind = tag.partition("-")
        if letter in ("B", "I", "E", "S", "L", "U") and not kind:
            return f"tag {tag!r} has no type"
        if tag == "o" or (dash and kind and letter in set("bieslu")):
            return (
                f"tag {tag!r} has an unknown prefix; set data.fold_case=true if these are "
                "lower-case tags"
            )
        if dash and len(letter) == 1:
            return f"tag {tag!r} has an unknown prefix ({self._allowed})"
        if self.spelled is not None:
            like = next(other for other in self.tags if self.spelled.fits_inside(other))
            return (
                f"tag {tag!r} is not spelled like the others, {like!r} for one. Correct it, or "
                f"{_ELSEWHERE}"
            )
        may_be_types = self._has_outside and len(self.tags) <= _OFFERED_TYPES
        hint = f"If it is an entity type: data.scheme=io; {_ELSEWHERE}"
        if not may_be_types:
            hint = f"I{_ELSEWHERE[1:]}"
        return f"tag {tag!r} is no IOB tag ({self._allowed}). {hint}"


def entity_type(data: DataSection, types: Sequence[str] | None) -> str:
    """Name the type of tags that have none: by the recipe, also by the one type it declares."""
    return data.entity_type or (types[0] if types and len(types) == 1 else UNNAMED)


def types_of(names: Sequence[str], *, entity_type: str) -> tuple[str, ...]:
    """List the types among declared tag names, in their first order: O B-PER I-PER -> PER."""
    spelled = told(names)
    if spelled:
        names = [spelled.canonical(name, entity_type) for name in names]
    return tuple(dict.fromkeys(kind for _, kind in map(split_tag, names) if kind))


def _begins(spelling: Spelling, tag: str) -> bool:
    return (spelling.split(tag) or ("", ""))[0] == "B"


def _several(tag: str) -> int:
    """Count the tags of a nested annotation that are written into one: I-ORG|B-LOC."""
    parts = _BETWEEN_TAGS.split(tag)
    alike = any(all(map(one.fullmatch, parts)) for one in (_ONE_OF_SEVERAL, _LETTER))
    return len(parts) if len(parts) > 1 and alike else 0
