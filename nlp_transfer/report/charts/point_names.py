"""Points with names in, places for the names out: none lies on another, nor on a point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nlp_transfer.report.charts.svg import TEXT, text_width

_GAP = 7
_POINT = 4
"""Half the width of a mark."""


@dataclass(frozen=True)
class Box:
    """A rectangle; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def holds(self, other: Box) -> bool:
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom


def place_names(
    points: Sequence[tuple[float, float, str]], room: Box
) -> Iterator[tuple[float, float, str]]:
    """Find a free place beside each point: right, left, above or below.

    points: (x, y, name)
    yields: (x, y, name) of texts; a name for which there is no room is left out
    """
    taken = [Box(x - _POINT, y - _POINT, x + _POINT, y + _POINT) for x, y, _ in points]
    for x, y, name in points:
        width = text_width(name)
        places = (
            (x + _GAP, y + 4), (x - _GAP - width, y + 4),
            (x - width / 2, y - _GAP), (x - width / 2, y + TEXT + _GAP - 2),
            (x + _GAP, y - _GAP), (x + _GAP, y + TEXT + _GAP - 2),
            (x - _GAP - width, y - _GAP), (x - _GAP - width, y + TEXT + _GAP - 2),
        )  # fmt: skip
        for left, base in places:
            box = Box(left, base - TEXT + 2, left + width, base + 3)
            if room.holds(box) and not any(map(box.meets, taken)):
                taken.append(box)
                yield left, base, name
                break
