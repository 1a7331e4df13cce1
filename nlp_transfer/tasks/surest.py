"""Mistakes one by one in, those that the model was surest of out."""

from __future__ import annotations

from heapq import nlargest

from nlp_transfer.tasks.analysis import MOST_MISTAKES, Mistake

_HELD = 20 * MOST_MISTAKES
"""Mistakes that memory holds before the least sure ones are dropped."""


class SurestMistakes:
    """Keeps the MOST_MISTAKES that the model was surest of."""

    def __init__(self) -> None:
        self._kept: list[Mistake] = []

    def add(self, mistake: Mistake) -> None:
        """Take one, if it may be among them."""
        self._kept.append(mistake)
        if len(self._kept) > _HELD:
            self._kept = list(self.chosen())

    def chosen(self) -> tuple[Mistake, ...]:
        """Return them, the surest first."""
        return tuple(nlargest(MOST_MISTAKES, self._kept, key=lambda mistake: mistake.score))
