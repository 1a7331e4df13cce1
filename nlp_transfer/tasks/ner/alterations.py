"""Tagged sentences in, altered ones whose tags still hold out (Dai and Adel 2020)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from nlp_transfer.data.added import misspelled
from nlp_transfer.data.tags import Span, spans, tags_of
from nlp_transfer.records import Row

_CASES: tuple[Callable[[str], str], ...] = (str.lower, str.upper, str.title)


@dataclass(frozen=True)
class NerAlterations:
    """Other entities, other case, two sentences in one."""

    shares: ClassVar[Mapping[str, float]] = {
        "replace_entities": 0.5, "change_case": 0.0, "join_sentences": 0.1,
    }  # fmt: skip

    def of(
        self, train: Sequence[Row], *, typos: float, shares: Mapping[str, float]
    ) -> SentenceAlterer:
        """Alter sentences; entities, and second sentences, are taken from `train`."""
        return SentenceAlterer(train, typos=typos, **shares)


class SentenceAlterer:
    """Alters tagged sentences; every share is a chance from 0 to 1."""

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        replace_entities: float,
        change_case: float,
        join_sentences: float,
        typos: float,
    ) -> None:
        """rows: the sentences that entities, and second sentences, are taken from."""
        self._rows = rows
        self._mentions = _mentions(rows)
        self._replace_entities = replace_entities
        self._change_case = change_case
        self._join_sentences = join_sentences
        self._typos = typos

    def __call__(self, row: Mapping[str, Any], seed: str) -> dict[str, list[str]]:
        """Return {words, tags} of an altered sentence; the same seed gives the same."""
        rng = Random(seed)
        words, tags = self._replaced(row["words"], row["tags"], rng)
        if rng.random() < self._join_sentences:
            second = rng.choice(self._rows)
            words, tags = [*words, *second["words"]], [*tags, *second["tags"]]
        if rng.random() < self._change_case:
            case = rng.choice(_CASES)
            words = [case(word) for word in words]
        words = [misspelled(word, rng) if rng.random() < self._typos else word for word in words]
        return {"words": words, "tags": tags}

    def _replaced(
        self, words: Sequence[str], tags: Sequence[str], rng: Random
    ) -> tuple[list[str], list[str]]:
        """Put other entities of the same type in the places of some."""
        new_words: list[str] = []
        new_tags: list[str] = []
        end = 0
        for span in spans(tags):
            new_words += words[end : span.first]
            new_tags += tags[end : span.first]
            end = span.last + 1
            mention: Sequence[str] = words[span.first : end]
            if rng.random() < self._replace_entities:
                mention = rng.choice(self._mentions[span.type])
            new_words += mention
            new_tags += tags_of(Span(span.type, 0, len(mention) - 1))
        return [*new_words, *words[end:]], [*new_tags, *tags[end:]]


def _mentions(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[str, ...]]]:
    """List the different entities of each type, in order of appearance."""
    found: dict[str, dict[tuple[str, ...], None]] = defaultdict(dict)
    for row in rows:
        for span in spans(row["tags"]):
            found[span.type][tuple(row["words"][span.first : span.last + 1])] = None
    return {kind: list(mentions) for kind, mentions in found.items()}
