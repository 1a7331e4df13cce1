"""Entities beside each other in; scores from strict to lenient out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nlp_transfer.metrics.figures import Score
from nlp_transfer.metrics.tagged import Pairing


class _Overlap(NamedTuple):
    """A predicted entity, and the gold ones that share words with it."""

    type: int
    first: int
    last: int
    gold: range


def partial_credit(pairing: Pairing) -> dict[str, Score]:
    """Score entities four ways.

    strict:  right borders and right type
    exact:   right borders, whatever the type
    partial: exact, and half a point for borders that overlap
    type:    right type on borders that overlap
    source:  SemEval-2013 task 9.1 (Segura-Bedmar et al. 2013), as nervaluate 1.2.1 counts: from
             left to right, each predicted entity takes one gold entity that no other has taken.
             nervaluate asks for an overlap of 1 % of the gold entity, we for a word: they differ
             for gold entities of more than 100 words.
    """
    same_borders, correct = len(pairing.twins[0]), len(pairing.correct)
    overlaps = [*_overlaps(pairing)]
    points = {
        "strict": correct,
        "exact": same_borders,
        "partial": same_borders + 0.5 * _taken(overlaps),
        "type": correct + _of_the_right_type(overlaps, pairing),
    }
    found = len(pairing.predicted.first)
    support = len(pairing.gold.first) + len(pairing.lost[0])
    return {name: Score.of_counts(won, found, support) for name, won in points.items()}


def _overlaps(pairing: Pairing) -> Iterator[_Overlap]:
    """Yield what overlaps without the same borders; who has the same overlaps nothing else."""
    gold, predicted = pairing.gold, pairing.predicted
    begin = np.searchsorted(gold.last, predicted.first)
    end = np.searchsorted(gold.first, predicted.last, side="right")
    overlapping = end > begin
    overlapping[pairing.twins[1]] = False
    columns = np.stack([predicted.type, predicted.first, predicted.last, begin, end], axis=1)
    for kind, first, last, low, high in columns[overlapping].tolist():
        yield _Overlap(kind, first, last, range(low, high))


def _taken(overlaps: list[_Overlap]) -> int:
    """Count the predicted entities that get a gold one, whatever the types."""
    taken: set[int] = set()
    for overlap in overlaps:
        free = next((number for number in overlap.gold if number not in taken), None)
        if free is not None:
            taken.add(free)
    return len(taken)


def _of_the_right_type(overlaps: list[_Overlap], pairing: Pairing) -> int:
    """Count those that get the nearest one of their own type; without one they take the first."""
    types, firsts, lasts = (
        column.tolist() for column in (pairing.gold.type, pairing.gold.first, pairing.gold.last)
    )
    taken: set[int] = set()
    right = 0
    for kind, first, last, gold in overlaps:
        free = [number for number in gold if number not in taken]
        own = [number for number in free if types[number] == kind]
        if own:
            taken.add(min(own, key=lambda n: abs(firsts[n] - first) + abs(lasts[n] - last)))
            right += 1
        elif free:
            taken.add(free[0])
    return right
