"""Sentences, gold and predicted, and what training has seen, in; where tagging fails out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.data.tags import spans
from nlp_transfer.metrics.figures import Score
from nlp_transfer.metrics.slices import slice_scores
from nlp_transfer.records import Prediction, Row
from nlp_transfer.shown import Example, Examples
from nlp_transfer.tasks.analysis import Analysis
from nlp_transfer.tasks.analysis_examples import ExampleSelection, slice_names, with_slices
from nlp_transfer.tasks.ner.decoding import Tagging
from nlp_transfer.tasks.ner.error_examples import TaggedSentence, examples_of
from nlp_transfer.tasks.ner.errors import TaggingErrors
from nlp_transfer.tasks.ner.results import NerResults
from nlp_transfer.tasks.ner.slices import EntityItems, SentenceItems, seen_entities

if TYPE_CHECKING:
    from datasets import Dataset

_NOT_KNOWN = "Which entities training has seen is not known: the data has no train split."
_NOTHING = "Neither gold nor predictions have an entity: there is nothing to sort into slices."
_LOST = (
    "{:,} gold entities that words cannot hold are missed; they are in the slices of their type "
    "and sentence only."
)


@dataclass(frozen=True)
class NerErrorAnalysis:
    """Entities by what they are like, confused types, and mistakes."""

    def analyse(
        self,
        rows: Dataset,
        predictions: Sequence[Prediction],
        *,
        train: Dataset | None,
        columns: Sequence[str],
        samples: int,
    ) -> Analysis:
        """Sort entities of both sides into slices, and count what is wrong with them."""
        found = _Found()
        for row, prediction in zip(iterate(rows), predictions, strict=True):
            found.add(row, prediction)
        return found.analysis(train, columns, samples=samples)

    def examples(self, lines: Iterable[Mapping[str, Any]]) -> Examples:
        """Show sentences with their entities."""
        return examples_of(lines)


class _Found:
    """What is found in the sentences of a split, one by one."""

    def __init__(self) -> None:
        self.entities, self.sentences, self.errors = EntityItems(), SentenceItems(), TaggingErrors()
        self.shown = ExampleSelection()
        self.lost = 0

    def add(self, row: Row, prediction: Prediction) -> None:
        """Look at a sentence."""
        assert isinstance(prediction, Tagging)
        gold, predicted, lost = spans(row["tags"]), spans(prediction.tags), row.get("lost") or ()
        self.entities.add(len(self.sentences), row["words"], gold, predicted, lost)
        self.sentences.add(row)
        self.lost += len(lost)
        number, wrong = len(self.sentences), gold != predicted or bool(lost)
        if wrong:
            self.errors.add(_sentence(number, row, prediction))
        self.shown.add(partial(_example, number, row, prediction), wrong=wrong)

    def analysis(self, train: Dataset | None, columns: Sequence[str], *, samples: int) -> Analysis:
        """Sum it up; what is said of each option: `ErrorAnalysis.analyse`."""
        counts, sentence = self.entities.counts, self.entities.sentences
        seen = seen_entities(train) if train is not None else None
        of_entities = self.entities.attributes(seen)
        of_sentences = self.sentences.attributes(columns)
        every = [*of_entities, *(attribute.at(sentence) for attribute in of_sentences)]
        scored = {
            attribute.name: slice_scores(
                attribute, counts, sentence, len(self.sentences), samples=samples
            )
            for attribute in every
        }
        correct, predicted, gold = (
            {name: line[side] for name, line in self.entities.by_type().items()}
            for side in range(3)
        )
        names = slice_names(of_entities, sentence, of_sentences)
        total = counts.sum(axis=0, dtype=int).tolist()
        return Analysis(
            overall=Score.of_counts(*total, counted=True) if len(counts) else None,
            slices={name: scores for name, scores in scored.items() if scores},
            errors=self.errors.counts(correct, gold, predicted),
            confusion=self.errors.grid(correct, sorted(gold)) if gold else None,
            pairs=self.errors.pairs(),
            mistakes=self.errors.mistakes(),
            repeated=self.errors.repeated(),
            notes=tuple(self._notes(seen is not None, bool(gold))),
            examples=with_slices(self.shown.chosen(), names),
        )

    def _notes(self, seen_known: bool, anything: bool) -> list[str]:
        notes = {
            _NOTHING: not anything,
            _NOT_KNOWN: anything and not seen_known,
            _LOST.format(self.lost): self.lost > 0,
        }
        return [note for note, holds in notes.items() if holds]


def _sentence(number: int, row: Row, prediction: Prediction) -> TaggedSentence:
    return TaggedSentence.of_line(number, NerResults().example(row, prediction))


def _example(number: int, row: Row, prediction: Prediction) -> Example:
    return _sentence(number, row, prediction).example()
