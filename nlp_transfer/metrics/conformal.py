"""Validation texts in, sets of labels out that hold the right one as often as is asked.

Split conformal prediction: where new texts are drawn as those of validation were, the set of a new
text holds its label with at least the probability that is asked, whatever the model is. One bound
of the probability decides for all texts and labels what is in a set: on average no sets that hold
the right label as often are smaller.

sources: Vovk et al. 2005, Algorithmic learning in a random world; Sadinle et al. 2019, Least
         ambiguous set-valued classifiers with bounded error levels
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from nlp_transfer.metrics.figures import percent
from nlp_transfer.recipe.base import Section

MOST = 1000
"""How many figures are kept: for one in between the next larger is taken."""
PERCENTS = tuple(range(50, 100))
"""The coverages at which the size of sets is kept, in percent."""
_ROUNDED = 1e-5
"""By what share, and at least by how much of it, a kept figure may be less than it was."""

_Surprise = Annotated[float, Field(ge=0, le=1000)]
_Size = Annotated[float, Field(ge=0, le=1e9)]


class LabelSets(Section):
    """What a validation split says of the labels that have to be in a text's set."""

    texts: int = Field(ge=1, le=2**40)
    """Of validation."""
    surprises: tuple[_Surprise, ...] = Field(max_length=MOST)
    """How unlikely the model found their labels, -log probability each, rising: all of them, or as
    many in equal steps up to the largest."""
    sizes: tuple[_Size, ...] = Field(min_length=len(PERCENTS), max_length=len(PERCENTS))
    """Labels in a set on average, by PERCENTS."""
    empty: tuple[_Size, ...] = Field(min_length=len(PERCENTS), max_length=len(PERCENTS))
    """Share of the sets that have none, by PERCENTS."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        found = self.surprises
        if len(found) != min(self.texts, MOST) or list(found) != sorted(found):
            raise ValueError("surprises do not rise, or are not as many as their texts have")
        return self

    @classmethod
    def of(cls, log_probabilities: NDArray[np.floating[Any]], right: NDArray[np.int64]) -> Self:
        """Learn from texts that the model has not learned from.

        log_probabilities: (texts, labels)
        right:             (texts,) the number of each text's label
        """
        unlikely = -np.asarray(log_probabilities, np.float64).clip(-1000, 0)
        texts = len(right)
        rising = np.sort(unlikely[np.arange(texts), right])[_ranks(texts) - 1]
        none = (0.0,) * len(PERCENTS)
        kept = tuple(float(f"{value:.6g}") for value in rising)
        bare = cls(texts=texts, surprises=kept, sizes=none, empty=none)
        shares = [hundredths / 100 for hundredths in PERCENTS]
        bounds = [bare.bound(share) if bare.allows(share) else math.inf for share in shares]
        sizes = np.searchsorted(np.sort(unlikely, axis=None), bounds, "right") / texts
        empty = 1 - np.searchsorted(np.sort(unlikely.min(axis=1)), bounds, "right") / texts
        rounded = [tuple(found.round(4).tolist()) for found in (sizes, empty)]
        return cls(texts=texts, surprises=kept, sizes=rounded[0], empty=rounded[1])

    def described(self, coverage: float) -> str:
        """Say what is known of sets that hold the right label so often."""
        low, high = map(percent, self.interval95(coverage))
        promise = (
            f"sets hold the right label of {percent(coverage)} of texts like those of validation "
            f"(95 % interval, for {self.texts:,} of them: {low} to {high})"
        )
        nearest = round(100 * coverage)
        if nearest not in PERCENTS:
            return promise
        at = PERCENTS.index(nearest)
        return (
            f"{promise}; there they had {self.sizes[at]:.2f} labels on average, and none for "
            f"{percent(self.empty[at])} of the texts"
        )

    def allows(self, coverage: float) -> bool:
        """Tell whether so many texts can promise it: the largest is texts / (texts + 1)."""
        return coverage > 0 and self._rank(coverage) <= self.texts

    def bound(self, coverage: float) -> float:
        """Return how unlikely a label may be that stands in a set: -log probability.

        coverage: the probability that a set holds the right label; `allows` it
        """
        index = int(np.searchsorted(_ranks(self.texts), self._rank(coverage)))
        return self.surprises[index] * (1 + _ROUNDED) + _ROUNDED * _ROUNDED

    def interval95(self, coverage: float) -> tuple[float, float]:
        """Return between what the share of right sets lies for 95 of 100 such validation splits.

        source: Vovk 2012, Conditional validity of inductive conformal predictors
        """
        from scipy.stats import beta

        rank = self._rank(coverage)
        low, high = beta.ppf((0.025, 0.975), rank, self.texts + 1 - rank)
        return float(low), float(high)

    def _rank(self, coverage: float) -> int:
        """Count the texts whose label has to be in its set: the new text is one more than all."""
        return max(1, math.ceil((self.texts + 1) * coverage - 1e-9))


def _ranks(texts: int) -> NDArray[np.int64]:
    """List the ranks, from 1, of the figures that are kept of so many texts."""
    kept = min(texts, MOST)
    ranks: NDArray[np.int64] = np.ceil(np.arange(1, kept + 1) * (texts / kept) - 1e-9).astype(int)
    return ranks
