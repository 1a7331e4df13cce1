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
from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from nlp_transfer.recipe.base import Section

MOST = 1000
"""How many figures are kept: for one in between the next larger is taken."""
_ROUNDED = 1e-5
"""By what share, and at least by how much, a kept figure may be less than it was."""

_Surprise = Annotated[float, Field(ge=0, le=1000)]


class Surprises(Section):
    """How unlikely a model finds the right labels of validation texts: -log probability each."""

    texts: int = Field(ge=1, le=2**40)
    """That were measured."""
    kept: tuple[_Surprise, ...] = Field(max_length=MOST)
    """Rising: all of them, or as many in equal steps up to the largest."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if len(self.kept) != min(self.texts, MOST) or list(self.kept) != sorted(self.kept):
            raise ValueError("they do not rise, or are not as many as their texts have")
        return self

    @classmethod
    def of(cls, found: Sequence[float] | NDArray[np.float64]) -> Self:
        """Keep what was found, one figure a text."""
        rising = np.sort(found)
        kept = rising[_ranks(len(rising)) - 1]
        return cls(texts=len(rising), kept=tuple(float(f"{value:.6g}") for value in kept))

    def allows(self, coverage: float) -> bool:
        """Tell whether so many texts can promise it."""
        return coverage > 0 and self._rank(coverage) <= self.texts

    def bound(self, coverage: float) -> float:
        """Return how unlikely a label may be that stands in a set: -log probability.

        coverage: the probability that a set holds the right label; `allows` it
        """
        index = int(np.searchsorted(_ranks(self.texts), self._rank(coverage)))
        return self.kept[index] * (1 + _ROUNDED) + _ROUNDED * _ROUNDED

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
