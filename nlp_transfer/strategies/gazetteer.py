"""Weak supervision: a dictionary of names labels sentences for NER (Mintz et al. 2009)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from nlp_transfer.data.added import with_added
from nlp_transfer.data.tags import Span
from nlp_transfer.data.text_file import read_lines
from nlp_transfer.data.words import split_words
from nlp_transfer.errors import UserError, nearest
from nlp_transfer.recipe import File, WordRule
from nlp_transfer.records import Splits
from nlp_transfer.strategies.base import Stage, Strategy
from nlp_transfer.strategies.context import RunContext, TransferRecipe
from nlp_transfer.strategies.parts.texts import (
    additions_of,
    no_texts,
    not_in,
    texts_of,
    unlabelled_rows,
)
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.optional import SpanRows

log = logging.getLogger(__name__)

_KEY = "strategies gazetteer"

Names = Mapping[tuple[str, ...], str]
"""The words of each name, and its type."""


class Gazetteer(Strategy):
    """Add sentences in which the names of a dictionary are the entities."""

    stage: ClassVar[Stage] = Stage.ROWS
    # A text in which a name stands is the dictionary's, whatever a teacher makes of it.
    order: ClassVar[int] = 20

    name: Literal["gazetteer"] = "gazetteer"
    dictionary: File = Field(
        description="file with a name, a tab and its type a line", examples=["names.tsv"]
    )
    texts: File | None = Field(
        None,
        description="file of unlabelled texts, as `nlpt predict` reads; null: data.unlabelled",
        examples=["texts.txt"],
    )
    match_case: bool = Field(True, description="false: rome is Rome")

    @property
    def reads_unlabelled(self) -> bool:
        return self.texts is None

    def misfits(self, recipe: TransferRecipe) -> Iterator[str]:
        """Refuse to look for names in no texts."""
        if self.texts is None and recipe.data.unlabelled is None:
            yield no_texts("gazetteer: texts")

    def reads(self) -> Mapping[str, str]:
        texts = {} if self.texts is None else {"texts": self.texts}
        return {"dictionary": self.dictionary, **texts}

    @staticmethod
    def needs(task: Task) -> SpanRows | None:
        """Label runs of words."""
        return task.span_rows

    def add_rows(self, splits: Splits, run: RunContext) -> Splits:
        """Add every new sentence with a name of the dictionary to the training split."""
        names = self._names(splits.labels, run.recipe.data.words)
        texts, key = texts_of(self.texts, run.recipe, setting=f"{_KEY}: texts")
        rows = unlabelled_rows(texts, run, setting=key)
        span_rows = self.needs(run.recipe.task)
        assert span_rows is not None
        found = ((row, self._spans(span_rows.words(row), names)) for row in rows)
        labelled = [span_rows.labelled(row, spans) for row, spans in found if spans]
        added = not_in(splits, labelled, additions_of(run))
        log.info(
            "gazetteer: %d of %d sentences have a name of the dictionary", len(added), len(rows)
        )
        if not added:
            raise UserError(
                f"{_KEY}: none of the {len(rows)} sentences of {texts} is new and has a name "
                f"of {self.dictionary}. Check the spelling, or set match_case: false."
            )
        return with_added(splits, added)

    def _names(self, types: Sequence[str], rule: WordRule) -> Names:
        """Read the dictionary."""
        if not Path(self.dictionary).is_file():
            raise UserError(f"{_KEY}: dictionary: there is no file {self.dictionary!r}.")
        names: dict[tuple[str, ...], str] = {}
        for number, line in enumerate(read_lines(Path(self.dictionary), encoding="utf-8"), 1):
            if not line.strip():
                continue
            place = f"{self.dictionary}:{number}"
            name, tab, kind = line.strip("\r\n").partition("\t")
            words = self._folded([word.text for word in split_words(name, rule)])
            kind = kind.strip()
            if not tab or not words:
                raise UserError(f"{place}: a line is a name, a tab and its type, found {line!r}.")
            if kind not in types:
                raise UserError(
                    f"{place}: the data has no type {kind!r} ({', '.join(types)})."
                    f"{nearest(kind, types)}"
                )
            if names.setdefault(words, kind) != kind:
                raise UserError(
                    f"{place}: {name!r} is {names[words]} in another line and {kind} here. Keep "
                    "one, or leave the name out: a dictionary cannot tell which is meant."
                )
        if not names:
            raise UserError(f"{self.dictionary}: the dictionary is empty.")
        return names

    def _spans(self, words: Sequence[str], names: Names) -> list[Span]:
        """Find the longest names, from left to right."""
        folded = self._folded(words)
        longest = max(map(len, names))
        found: list[Span] = []
        start = 0
        while start < len(words):
            ends = range(min(len(words), start + longest), start, -1)
            end = next((end for end in ends if folded[start:end] in names), None)
            if end is not None:
                found.append(Span(names[folded[start:end]], start, end - 1))
            start = end or start + 1
        return found

    def _folded(self, words: Sequence[str]) -> tuple[str, ...]:
        return tuple(words) if self.match_case else tuple(word.casefold() for word in words)
