"""Answers with their scores in; which score an answer needs for a wanted precision out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from nlp_transfer.metrics.bootstrap import FEW
from nlp_transfer.metrics.figures import percent
from nlp_transfer.recipe.base import Section

_POINTS = 40
"""Thresholds that a model keeps: steps of 2.5 % of the answers."""
_Z95 = 1.959964

_Score = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Threshold:
    """The least score of what is kept, and what that has cost and brought on validation."""

    score: float
    right: int
    kept: int
    """Answers with this score or more."""
    answers: int
    """All answers."""

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"a score of {self.score:.3f}: of validation it kept {self.kept:,} of "
            f"{self.answers:,} ({percent(self.kept / self.answers)}), "
            f"{self.right / self.kept:.3f} of them right (95 % interval {low:.3f} to {high:.3f})"
        )

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the precision of what is kept.

        source: Wilson 1927
        """
        share, n = self.right / self.kept, self.kept
        middle = (share + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
        spread = math.sqrt(share * (1 - share) / n + _Z95**2 / (4 * n * n)) / (1 + _Z95**2 / n)
        return max(0.0, _Z95 * -spread + middle), min(1.0, _Z95 * spread + middle)


class PrecisionCurve(Section):
    """How many answers of a validation split were right, from the surest answers on."""

    scores: tuple[_Score, ...] = Field(min_length=1, max_length=10 * _POINTS)
    """Thresholds, falling."""
    kept: tuple[_Count, ...]
    """Answers with so high a score."""
    right: tuple[Annotated[int, Field(ge=0)], ...]
    """How many of them were right."""
    expected: tuple[Annotated[float, Field(ge=0)], ...]
    """How many of them should have been, by their scores."""

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        counts = list(zip(self.right, self.kept, strict=False))
        lengths = {len(self.scores), len(self.kept), len(self.right), len(self.expected)}
        falls = list(self.scores) == sorted(self.scores, reverse=True)
        rises = list(self.kept) == sorted(self.kept)
        if len(lengths) > 1 or not falls or not rises or any(r > k for r, k in counts):
            raise ValueError("its numbers are no curve")
        return self

    @classmethod
    def of(cls, scores: NDArray[np.float64], right: NDArray[np.bool_]) -> PrecisionCurve:
        """Count what each of some thresholds keeps; scores: calibrated, at least one."""
        order = np.argsort(-scores, kind="stable")
        scores, rights, sums = scores[order], right[order].cumsum(), scores[order].cumsum()
        ends = np.linspace(0, len(scores), min(_POINTS, len(scores)) + 1)[1:].round().astype(int)
        # Answers with the same score are kept or left out together.
        kept = np.unique(np.searchsorted(-scores, -scores[ends - 1], side="right"))
        return cls(
            scores=tuple(math.floor(score * 1e6) / 1e6 for score in scores[kept - 1].tolist()),
            kept=tuple(kept.tolist()),
            right=tuple(rights[kept - 1].tolist()),
            expected=tuple(sums[kept - 1].round(3).tolist()),
        )

    def threshold(self, precision: float) -> Threshold | None:
        """Find the lowest threshold whose answers have a precision; None: no threshold has it.

        The precision is the mean of two estimates: the share that was right, which few answers
        make uncertain, and the mean of the scores, which all of the split have calibrated. It is
        believed of FEW answers or more.
        """
        reach = [place for place, estimate in self._estimates() if estimate >= precision]
        return self._at(max(reach)) if reach else None

    def best(self) -> tuple[float, Threshold] | None:
        """Find the highest precision that can be had, and its threshold."""
        reach = max(((estimate, place) for place, estimate in self._estimates()), default=None)
        return (reach[0], self._at(reach[1])) if reach else None

    def _estimates(self) -> list[tuple[int, float]]:
        return [
            (place, (self.right[place] + self.expected[place]) / (2 * kept))
            for place, kept in enumerate(self.kept)
            if kept >= FEW
        ]

    def _at(self, place: int) -> Threshold:
        return Threshold(
            self.scores[place], self.right[place], self.kept[place], answers=self.kept[-1]
        )
