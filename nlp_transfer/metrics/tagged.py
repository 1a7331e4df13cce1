"""Tagged sentences in, all their entities as arrays out: millions of words are counted at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

Tags = Sequence[Sequence[str]]
Lost = Sequence[Sequence[str]]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Entities:
    """Entities of many sentences, from left to right: arrays of one length.

    Words are counted over all sentences: an entity never reaches over the end of one.
    """

    sentence: Integers
    first: Integers
    last: Integers
    """Inclusive."""
    type: Integers
    """Its place in `Pairing.types`."""


@dataclass(frozen=True)
class Pairing:
    """What is annotated and what is predicted for the same sentences."""

    types: tuple[str, ...]
    """Of either side, sorted."""
    gold: Entities
    predicted: Entities
    twins: tuple[Integers, Integers]
    """Which gold and which predicted entities have the same borders, pair by pair."""
    lost: tuple[Integers, Integers]
    """Sentence and type of each gold entity that tags cannot say; nobody finds it."""
    sentences: int

    @property
    def correct(self) -> Integers:
        """Which predicted entities have the right borders and the right type."""
        gold, predicted = self.twins
        right: Integers = predicted[self.gold.type[gold] == self.predicted.type[predicted]]
        return right

    @property
    def by_sentence(self) -> Integers:
        """Count correct, predicted and gold entities: (sentences, 3)."""
        found, gold = self.predicted.sentence, self.gold.sentence
        missed, _ = self.lost
        return _counts(found[self.correct], found, gold, missed, self.sentences)

    @property
    def by_type(self) -> Integers:
        """Count correct, predicted and gold entities: (types, 3)."""
        found, gold = self.predicted.type, self.gold.type
        _, missed = self.lost
        return _counts(found[self.correct], found, gold, missed, len(self.types))


def _counts(
    correct: Integers, predicted: Integers, gold: Integers, lost: Integers, groups: int
) -> Integers:
    columns = (correct, predicted, np.concatenate([gold, lost]))
    return np.stack([np.bincount(column, minlength=groups) for column in columns], axis=1)


def pair(gold: Tags, predicted: Tags, lost: Lost = ()) -> Pairing:
    """Set the entities of gold and predicted tags beside each other.

    gold, predicted: valid IOB2 tags of the same words
    lost:            types of the gold entities of each sentence that tags cannot say
    raises:          ValueError where the sides are not of the same words
    """
    lengths, theirs = ([len(tags) for tags in side] for side in (gold, predicted))
    if lengths != theirs:
        shorter = "longer" if (len(theirs), theirs) > (len(lengths), lengths) else "shorter"
        raise ValueError(f"the predicted tags are {shorter} than the gold tags")
    codes: defaultdict[str, int] = defaultdict(count().__next__)
    ours, others = _entities(gold, codes), _entities(predicted, codes)
    missed = [(number, codes[kind]) for number, kinds in enumerate(lost) for kind in kinds]
    types = sorted(codes)
    places = np.empty(len(codes), dtype=np.int64)
    places[[codes[kind] for kind in types]] = range(len(types))
    ours, others = (replace(side, type=places[side.type]) for side in (ours, others))
    lost_sentences, lost_codes = np.array(missed, dtype=np.int64).reshape(-1, 2).T
    return Pairing(
        tuple(types),
        ours,
        others,
        _twins(ours, others),
        (lost_sentences, places[lost_codes]),
        len(lengths),
    )


def _entities(side: Tags, codes: defaultdict[str, int]) -> Entities:
    """Find all entities, their types numbered by `codes` as they are met.

    On valid IOB2 tags seqeval's default mode finds what its strict one does, many times as fast.
    """
    from seqeval.metrics.sequence_labeling import get_entities

    def found() -> Iterator[int]:
        start = 0
        for number, tags in enumerate(side):
            for kind, first, last in get_entities(list(tags)):
                yield from (number, start + first, start + last, codes[kind])
            start += len(tags)

    return Entities(*np.fromiter(found(), np.int64).reshape(-1, 4).T)


def _twins(gold: Entities, predicted: Entities) -> tuple[Integers, Integers]:
    _, ours, theirs = np.intersect1d(
        gold.first, predicted.first, assume_unique=True, return_indices=True
    )
    same = gold.last[ours] == predicted.last[theirs]
    return ours[same], theirs[same]
