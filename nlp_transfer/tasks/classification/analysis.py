"""Texts, gold and predicted, and what training has seen, in; where classification fails out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.metrics.figures import Score, Scores
from nlp_transfer.metrics.slices import slice_scores
from nlp_transfer.records import Prediction, Row
from nlp_transfer.shown import Example, Examples, Grid
from nlp_transfer.tasks.analysis import Analysis
from nlp_transfer.tasks.analysis_examples import ExampleSelection, slice_names, with_slices
from nlp_transfer.tasks.classification.decoding import Classification
from nlp_transfer.tasks.classification.error_examples import example_of, examples_of
from nlp_transfer.tasks.classification.errors import LabelErrors
from nlp_transfer.tasks.classification.results import ClassificationResults
from nlp_transfer.tasks.classification.slices import LabelItems, SeenTexts, TextItems, whole_text
from nlp_transfer.tasks.optional import Line

if TYPE_CHECKING:
    from datasets import Dataset

_NOT_KNOWN = "Which labels and words training has seen is not known: the data has no train split."
_MULTI_LABEL = (
    "A text may have several labels: there is no confusion matrix, MCC or balanced accuracy. A "
    "confusion is a label that is missing where another was given."
)


@dataclass(frozen=True)
class ClassificationErrorAnalysis:
    """Texts by what they are like, confused labels, and mistakes."""

    multi_label: bool

    def analyse(
        self,
        rows: Dataset,
        predictions: Sequence[Prediction],
        *,
        train: Dataset | None,
        columns: Sequence[str],
        samples: int,
    ) -> Analysis:
        """Sort texts and labels into slices, and count what is wrong with them."""
        found = _Found(self.multi_label)
        for row, prediction in zip(iterate(rows), predictions, strict=True):
            found.add(row, prediction)
        return found.analysis(train, columns, samples=samples)

    def examples(self, lines: Iterable[Line]) -> Examples:
        """Show texts with their labels."""
        return examples_of(lines)


class _Found:
    """What is found in the texts of a split, one by one."""

    def __init__(self, multi_label: bool) -> None:
        self.multi_label = multi_label
        self.texts, self.labels, self.errors = TextItems(), LabelItems(), LabelErrors()
        self.shown = ExampleSelection()

    def add(self, row: Row, prediction: Prediction) -> None:
        """Look at a text."""
        assert isinstance(prediction, Classification)
        gold, predicted = {*row["labels"]}, {*prediction.labels}
        self.labels.add(len(self.texts), gold, predicted)
        self.texts.add(row, gold, predicted)
        number = len(self.texts)
        self.errors.add(
            number,
            whole_text(row),
            gold=gold,
            predicted=predicted,
            scores=prediction.scores,
            where=row.get("where") or "",
        )
        make = partial(_example, number, row, prediction, multi_label=self.multi_label)
        self.shown.add(make, wrong=gold != predicted)

    def analysis(self, train: Dataset | None, columns: Sequence[str], *, samples: int) -> Analysis:
        """Sum it up; what is said of each option: `ErrorAnalysis.analyse`."""
        seen = SeenTexts.of(train) if train is not None else None
        of_labels = list(self.labels.attributes(seen))
        of_texts = self.texts.attributes(seen, columns)
        count, texts = len(self.texts), self.labels.texts
        scored: dict[str, Scores] = {
            each.name: slice_scores(each, self.labels.counts, texts, count, samples=samples)
            for each in of_labels
        }
        numbers = np.arange(count)
        scored |= {
            each.name: slice_scores(each, self.texts.counts, numbers, count, samples=samples)
            for each in of_texts
        }
        names = slice_names(of_labels, texts, of_texts)
        total = self.texts.counts.sum(axis=0, dtype=int).tolist()
        return Analysis(
            overall=Score.of_counts(*total, counted=True) if count else None,
            slices={name: scores for name, scores in scored.items() if scores},
            confusion=None if self.multi_label else self._grid(),
            pairs=self.errors.pairs(),
            mistakes=self.errors.mistakes(),
            repeated=self.errors.repeated(),
            notes=tuple(self._notes(seen)),
            examples=with_slices(self.shown.chosen(), names),
        )

    def _grid(self) -> Grid:
        correct, labels = self.labels.correct()
        correct[""] = int((self.texts.counts.sum(axis=1) == 0).sum())
        return self.errors.grid(correct, labels)

    def _notes(self, seen: SeenTexts | None) -> Iterator[str]:
        if self.multi_label:
            yield _MULTI_LABEL
        if seen is None:
            yield _NOT_KNOWN


def _example(number: int, row: Row, prediction: Prediction, *, multi_label: bool) -> Example:
    return example_of(number, ClassificationResults(multi_label).example(row, prediction))
