"""Tagged sentences in, all their entities as arrays out: millions of words are counted at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.data.tags import split_tag

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
    sides = [_codes(side, codes) for side in (gold, predicted)]
    split = [split_tag(tag) for tag in codes]
    missed = [(number, kind) for number, kinds in enumerate(lost) for kind in kinds]
    types = sorted({kind for _, kind in (*split, *missed) if kind})
    places = {kind: place for place, kind in enumerate(types)}
    prefixes = np.array([prefix for prefix, _ in split], dtype=np.str_)
    kinds = np.array([places.get(kind, -1) for _, kind in split], dtype=np.int64)
    ends = np.cumsum(lengths, dtype=np.int64)
    ours, others = (_entities(codes, prefixes, kinds, ends) for codes in sides)
    lost_places = np.array([(number, places[kind]) for number, kind in missed], dtype=np.int64)
    lost_sentences, lost_types = lost_places.reshape(-1, 2).T
    twins = _twins(ours, others)
    return Pairing(tuple(types), ours, others, twins, (lost_sentences, lost_types), len(lengths))


def _codes(side: Tags, codes: defaultdict[str, int]) -> NDArray[np.int32]:
    """Number the tags of all words."""
    return np.fromiter(map(codes.__getitem__, chain.from_iterable(side)), np.int32)


def _entities(
    codes: NDArray[np.int32], prefixes: NDArray[np.str_], kinds: Integers, ends: Integers
) -> Entities:
    """Find all entities.

    codes:           (words,) of the tags
    prefixes, kinds: by code
    ends:            (sentences,) where each one ends, in words of all
    """
    first = np.flatnonzero((prefixes == "B")[codes])
    breaks = np.append(np.flatnonzero((prefixes != "I")[codes]), len(codes))
    last = breaks[np.searchsorted(breaks, first, side="right")] - 1
    return Entities(np.searchsorted(ends, first, side="right"), first, last, kinds[codes[first]])


def _twins(gold: Entities, predicted: Entities) -> tuple[Integers, Integers]:
    _, ours, theirs = np.intersect1d(
        gold.first, predicted.first, assume_unique=True, return_indices=True
    )
    same = gold.last[ours] == predicted.last[theirs]
    return ours[same], theirs[same]
