"""Entities of both sides of a sentence in, each one that is not right in exactly one error, out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from nlp_transfer.data.tags import Span

ErrorKind = Literal["wrong type", "wrong borders", "wrong type and borders", "missed", "spurious"]


class EntityError(NamedTuple):
    """A gold entity that was not found as it is, what was found in its place, or one of the two."""

    kind: ErrorKind
    gold: Span | None
    """None where it is spurious."""
    predicted: Span | None
    """None where it was missed."""


def entity_errors(gold: Sequence[Span], predicted: Sequence[Span]) -> list[EntityError]:
    """Pair the entities that are not right one to one, the nearest first; who is left is alone.

    Same borders come first, then overlaps: of the same type, then the longest. So gold entities
    are the correct ones, the pairs and the missed ones; predicted entities the correct ones, the
    pairs and the spurious ones.

    gold, predicted: disjoint entities each, from left to right
    returns:         from left to right
    """
    correct = {*gold} & {*predicted}
    ours = [span for span in gold if span not in correct]
    theirs = [span for span in predicted if span not in correct]
    free_gold, free_predicted = {*ours}, {*theirs}
    errors = []
    for pair in sorted(_overlaps(ours, theirs), key=_distance):
        if pair[0] in free_gold and pair[1] in free_predicted:
            free_gold.remove(pair[0])
            free_predicted.remove(pair[1])
            errors.append(EntityError(_kind(*pair), *pair))
    errors += [EntityError("missed", span, None) for span in free_gold]
    errors += [EntityError("spurious", None, span) for span in free_predicted]
    return sorted(errors, key=_first_word)


def _overlaps(gold: Sequence[Span], predicted: Sequence[Span]) -> Iterator[tuple[Span, Span]]:
    """Yield all pairs that share a word."""
    begin = 0
    for ours in gold:
        while begin < len(predicted) and predicted[begin].last < ours.first:
            begin += 1
        for theirs in predicted[begin:]:
            if theirs.first > ours.last:
                break
            yield ours, theirs


def _distance(pair: tuple[Span, Span]) -> tuple[bool, bool, int, int, int]:
    gold, predicted = pair
    shared = min(gold.last, predicted.last) - max(gold.first, predicted.first) + 1
    other_borders = gold[1:] != predicted[1:]
    return other_borders, gold.type != predicted.type, -shared, gold.first, predicted.first


def _kind(gold: Span, predicted: Span) -> ErrorKind:
    if gold[1:] == predicted[1:]:
        return "wrong type"
    return "wrong borders" if gold.type == predicted.type else "wrong type and borders"


def _first_word(error: EntityError) -> tuple[int, int]:
    spans = [span for span in (error.gold, error.predicted) if span]
    return min(span.first for span in spans), max(span.last for span in spans)
