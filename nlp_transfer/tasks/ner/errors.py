"""Sentences with errors one by one in, what they have in common out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from nlp_transfer.metrics.confusion import fold
from nlp_transfer.metrics.entity_errors import EntityError, ErrorKind
from nlp_transfer.shown import Grid
from nlp_transfer.tasks.analysis import (
    MOST_PAIRS,
    MOST_REPEATED,
    ConfusedPair,
    ErrorCounts,
    Mistake,
    RepeatedMistake,
    beginning,
)
from nlp_transfer.tasks.ner.error_examples import TaggedSentence
from nlp_transfer.tasks.surest import SurestMistakes


class TaggingErrors:
    """Counts errors by type, and by words, and keeps those that the model was surest of."""

    def __init__(self) -> None:
        self._kinds: Counter[tuple[ErrorKind, str, str]] = Counter()
        self._words: Counter[tuple[str, str, str, str]] = Counter()
        self._surest = SurestMistakes()

    def add(self, sentence: TaggedSentence) -> None:
        """Take note of what is wrong in a sentence."""
        for error in sentence.errors:
            gold, predicted = _types(error)
            self._kinds[error.kind, gold, predicted] += 1
            self._words[(*_words(error, sentence), gold, predicted)] += 1
            if error.predicted is not None:
                self._surest.add(_mistake(error, sentence))
        self._kinds.update(("missed", kind, "") for kind in sentence.lost)

    def mistakes(self) -> tuple[Mistake, ...]:
        """Return the wrong entities that the model was surest of."""
        return self._surest.chosen()

    def repeated(self) -> tuple[RepeatedMistake, ...]:
        """Return what was mistaken several times."""
        return tuple(
            RepeatedMistake(beginning(text), gold, predicted, count, beginning(found))
            for (text, found, gold, predicted), count in self._words.most_common(MOST_REPEATED)
            if count > 1
        )

    def pairs(self) -> tuple[ConfusedPair, ...]:
        """Return the types that are taken for each other, or missed, or found where none is."""
        pairs: Counter[tuple[str, str]] = Counter()
        for (_, gold, predicted), count in self._kinds.items():
            if gold != predicted:
                pairs[gold, predicted] += count
        return tuple(ConfusedPair(*pair, count) for pair, count in pairs.most_common(MOST_PAIRS))

    def counts(
        self, correct: Mapping[str, int], gold: Mapping[str, int], predicted: Mapping[str, int]
    ) -> dict[str, ErrorCounts]:
        """Count the errors of each type.

        correct, gold, predicted: entities by type
        """
        by_type: dict[str, Counter[str]] = {name: Counter() for name in sorted({*gold, *predicted})}
        for (kind, ours, theirs), count in self._kinds.items():
            by_type[ours or theirs][kind.replace(" ", "_")] += count
        return {
            name: ErrorCounts(gold.get(name, 0), predicted.get(name, 0), correct.get(name, 0), **of)
            for name, of in by_type.items()
        }

    def grid(self, correct: Mapping[str, int], types: Sequence[str]) -> Grid:
        """Count gold types by predicted types, with what has no partner of its borders apart.

        correct: entities by type
        """
        places = {name: place for place, name in enumerate(types)}
        matrix = np.diag([correct.get(name, 0) for name in types]).astype(np.int64)
        alone = np.zeros((len(types), 3), np.int64)  # wrong borders, missed, spurious
        for (kind, gold, predicted), count in self._kinds.items():
            if kind in _APART:
                alone[places[gold or predicted], _APART.index(kind)] += count
            else:
                matrix[places[gold], places[predicted]] += count
        shown = fold(matrix, types)
        inside, beside = shown.matrix(matrix), shown.columns(alone)
        rows = [[*row, *apart[:2]] for row, apart in zip(inside, beside, strict=True)]
        rows.append([*beside[:, 2], 0, 0])
        return Grid(
            "Types",
            (*shown.names, "spurious"),
            (*shown.names, "wrong borders", "missed"),
            tuple(tuple(map(int, row)) for row in rows),
            note="On the diagonal: right type and borders. Wrong borders: the type is right. A "
            "type that was taken for another counts whatever its borders. Rows add up to the gold "
            "entities.",
        )


_APART = ("wrong borders", "missed", "spurious")


def _types(error: EntityError) -> tuple[str, str]:
    gold, predicted = error.gold, error.predicted
    return gold.type if gold else "", predicted.type if predicted else ""


def _words(error: EntityError, sentence: TaggedSentence) -> tuple[str, str]:
    """Return the words of an error, and what was found instead, where these are others."""
    spans = [span for span in (error.gold, error.predicted) if span]
    text, found = sentence.text(spans[0]), sentence.text(spans[-1])
    return text, found if found != text else ""


def _mistake(error: EntityError, sentence: TaggedSentence) -> Mistake:
    assert error.predicted is not None
    gold, predicted = _types(error)
    annotated, found = _words(error, sentence)
    return Mistake(
        sentence.number,
        error.kind,
        beginning(found or annotated),
        gold,
        predicted,
        sentence.scores[error.predicted] or 0.0,
        sentence.where,
        gold_text=beginning(annotated) if found else "",
    )
