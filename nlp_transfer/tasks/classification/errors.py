"""Texts with wrong labels one by one in, what they have in common out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product

import numpy as np

from nlp_transfer.metrics.confusion import fold
from nlp_transfer.shown import Grid
from nlp_transfer.tasks.analysis import (
    MOST_PAIRS,
    MOST_REPEATED,
    ConfusedPair,
    Mistake,
    RepeatedMistake,
    beginning,
)
from nlp_transfer.tasks.surest import SurestMistakes


class LabelErrors:
    """Counts labels that are taken for each other, and keeps the mistakes that are surest."""

    def __init__(self) -> None:
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._texts: Counter[tuple[str, str, str]] = Counter()
        self._surest = SurestMistakes()

    def add(
        self,
        number: int,
        text: str,
        *,
        gold: set[str],
        predicted: set[str],
        scores: Mapping[str, float],
        where: str,
    ) -> None:
        """Take note of the labels of a text, where some are wrong.

        number: of the text, from 1
        """
        missed, spurious = sorted(gold - predicted), sorted(predicted - gold)
        if not missed and not spurious:
            return
        self._pairs.update(product(missed or [""], spurious or [""]))
        answers = ", ".join(sorted(gold)), ", ".join(sorted(predicted))
        self._texts[(" ".join(text.split()), *answers)] += 1
        one_each = len(gold) == len(predicted) == 1
        kind = "wrong label" if one_each else "spurious label"
        for label in spurious:
            score = scores.get(label, 0.0)
            self._surest.add(
                Mistake(number, kind, beginning(text), answers[0], label, score, where)
            )

    def mistakes(self) -> tuple[Mistake, ...]:
        """Return the wrong labels that the model was surest of."""
        return self._surest.chosen()

    def repeated(self) -> tuple[RepeatedMistake, ...]:
        """Return the texts that were mistaken several times."""
        return tuple(
            RepeatedMistake(beginning(text), gold, predicted, count)
            for (text, gold, predicted), count in self._texts.most_common(MOST_REPEATED)
            if count > 1
        )

    def pairs(self) -> tuple[ConfusedPair, ...]:
        """Return the labels that are taken for each other; several a text are each counted."""
        return tuple(
            ConfusedPair(*pair, count) for pair, count in self._pairs.most_common(MOST_PAIRS)
        )

    def grid(self, correct: Mapping[str, int], labels: list[str]) -> Grid:
        """Count gold by predicted labels of texts that have one each, or none.

        correct: texts by label; "": those that have none, as they should
        labels:  of either side
        """
        has_none = correct.get("") or any("" in pair for pair in self._pairs)
        every = [*labels, ""] if has_none else labels
        places = {name: place for place, name in enumerate(every)}
        matrix = np.diag([correct.get(name, 0) for name in every]).astype(np.int64)
        for (gold, predicted), count in self._pairs.items():
            matrix[places[gold], places[predicted]] += count
        shown = fold(matrix, [name or "(none)" for name in every])
        return Grid(
            "Labels",
            shown.names,
            shown.names,
            tuple(tuple(map(int, row)) for row in shown.matrix(matrix)),
            note="".join(_grid_notes(len(labels), len(shown.names))),
        )


def _grid_notes(labels: int, shown: int) -> Iterator[str]:
    yield "Labels that are taken for each other stand beside each other."
    if shown <= labels - 1:
        yield f" Of {labels:,} labels the {shown - 1} that are confused most; the others are one."
