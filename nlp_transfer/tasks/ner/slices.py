"""Sentences and their entities one by one in, what these are sorted into slices by out."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.data.tags import Span, spans
from nlp_transfer.metrics.slices import Attribute, by_name, by_number
from nlp_transfer.metrics.surfaces import by_casing, by_columns, by_length, by_third
from nlp_transfer.records import Row

if TYPE_CHECKING:
    from datasets import Dataset

Integers = NDArray[np.int64]
SeenEntities = Mapping[str, set[str]]
"""Types of the entities of a training split, by their words in lower case."""

_SEEN = ("with this type", "with other types only", "unseen")
_LENGTHS = (1, 2, 3)


def seen_entities(train: Dataset) -> SeenEntities:
    """Collect the entities of a training split."""
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for row in iterate(train, ["words", "tags"]):
        for span in spans(row["tags"]):
            seen[words_of(span, row["words"]).casefold()].add(span.type)
    return seen


def words_of(span: Span, words: Sequence[str]) -> str:
    """Return the words of an entity, with blanks between them."""
    return " ".join(words[span.first : span.last + 1])


class EntityItems:
    """Entities of both sides; one that is the same on both stands once."""

    def __init__(self) -> None:
        self._sentences, self._lengths = array("i"), array("i")
        self._counts = array("b")
        self._types: defaultdict[str, int] = defaultdict(count().__next__)
        self._texts: defaultdict[str, int] = defaultdict(count().__next__)
        self._type_codes, self._text_codes = array("i"), array("i")

    def add(
        self,
        sentence: int,
        words: Sequence[str],
        gold: Sequence[Span],
        predicted: Sequence[Span],
        lost: Sequence[str],
    ) -> None:
        """Take the entities of a sentence.

        sentence: its number, from 0
        lost:     types of gold entities that words cannot hold
        """
        ours, theirs = {*gold}, {*predicted}
        for span in dict.fromkeys((*gold, *predicted)):
            is_gold, is_predicted = span in ours, span in theirs
            self._counts.extend((is_gold and is_predicted, is_predicted, is_gold))
            self._sentences.append(sentence)
            self._lengths.append(span.last - span.first + 1)
            self._type_codes.append(self._types[span.type])
            self._text_codes.append(self._texts[words_of(span, words)])
        for kind in lost:
            self._counts.extend((0, 0, 1))
            self._sentences.append(sentence)
            self._lengths.append(0)
            self._type_codes.append(self._types[kind])
            self._text_codes.append(-1)

    @property
    def counts(self) -> NDArray[np.int8]:
        """(entities, 3) 1 where one is correct, predicted, gold."""
        return np.array(self._counts, np.int8).reshape(-1, 3)

    @property
    def sentences(self) -> Integers:
        """(entities,) the sentence of each, from 0."""
        return np.array(self._sentences, np.int64)

    def by_type(self) -> dict[str, tuple[int, int, int]]:
        """Count the correct, predicted and gold entities of each type."""
        codes, counts = np.array(self._type_codes, np.int64), self.counts
        columns = [np.bincount(codes, column, len(self._types)) for column in counts.T]
        return {
            name: (int(columns[0][code]), int(columns[1][code]), int(columns[2][code]))
            for name, code in self._types.items()
        }

    def attributes(self, seen: SeenEntities | None) -> list[Attribute]:
        """Sort them by what they are.

        seen: None: not known
        """
        texts: list[str | None] = [*self._texts, None]  # the last one is that of lost entities
        text_codes = np.array(self._text_codes, np.int64)
        kinds = list(self._types)
        lengths = by_number("entity_length", self._lengths, _LENGTHS, "words")
        lengths.codes[np.array(self._lengths, np.int64) == 0] = -1
        found = [lengths, by_casing(texts).at(text_codes)]
        if len(kinds) > 1:
            found.insert(0, by_name("type", [kinds[code] for code in self._type_codes]))
        return found if seen is None else [self._by_seen(seen, texts, kinds), *found]

    def _by_seen(
        self, seen: SeenEntities, texts: Sequence[str | None], kinds: Sequence[str]
    ) -> Attribute:
        known = [None if text is None else seen.get(text.casefold(), ()) for text in texts]
        codes = [
            -1 if types is None else (0 if kinds[kind] in types else 1) if types else 2
            for types, kind in zip(
                map(known.__getitem__, self._text_codes), self._type_codes, strict=True
            )
        ]
        return Attribute("entity_seen", _SEEN, np.array(codes, np.int64))


class SentenceItems:
    """Sentences, by what they are sorted into slices by."""

    def __init__(self) -> None:
        self._lengths = array("i")
        self._documents: list[str | None] = []
        self._columns: list[Sequence[str | None]] = []

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, row: Row) -> None:
        """Take a sentence."""
        self._lengths.append(len(row["words"]))
        self._documents.append(row.get("document"))
        self._columns.append(row.get("slices") or ())

    def attributes(self, columns: Sequence[str]) -> list[Attribute]:
        """Sort them.

        columns: names of the columns that rows keep
        """
        return [
            by_length("sentence_length", self._lengths),
            by_third(self._documents),
            *by_columns(columns, self._columns),
        ]
