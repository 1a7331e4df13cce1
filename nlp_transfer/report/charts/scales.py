"""Values in, places on an axis and its ticks out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_STEPS = (1, 2, 2.5, 5, 10)
_SINGLE = 0.1
"""Share of a single value by which its axis reaches to either side of it."""


@dataclass(frozen=True)
class Scale:
    """An axis: from low to high in the data, from start to end in the drawing."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Choose round values on the axis: about as many as asked for, at most."""
        if self.log and (marks := self._log_ticks(most)):
            return marks
        step = _round_step((self.high - self.low) / max(1, most))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(step * at, 12) for at in range(first, last + 1)]

    def _log_ticks(self, most: int) -> list[float]:
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for leading in (range(1, 10), (1, 2, 3, 5), (1, 2, 5), (1,)):
            marks = [d * 10.0**power for power in powers for d in leading]
            marks = [mark for mark in marks if self.low <= mark * 1.0001 and mark <= self.high]
            if 2 <= len(marks) <= most + 2:
                return marks
        return []


def scale(
    values: Iterable[float], start: float, end: float, *, log: bool = False, rounded: bool = False
) -> Scale:
    """Fit an axis to values.

    rounded: let it end at round values
    """
    every = list(values)
    low, high = min(every), max(every)
    if log and low <= 0:
        log = False  # nothing at or below 0 has a place on such an axis
    if low == high:
        reach = abs(low) * _SINGLE or 1
        low, high = low - reach, high + reach
    if rounded and not log:
        step = _round_step((high - low) / 5)
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return Scale(low, high, start, end, log)


def tick_texts(ticks: list[float]) -> list[str]:
    """Write the values of ticks, with as many figures after the point as tell them apart."""
    largest = max((abs(tick) for tick in ticks), default=0)
    for digits in range(5):
        if all(abs(round(tick, digits) - tick) <= 1e-6 * largest for tick in ticks):
            return [f"{tick + 0.0:,.{digits}f}" for tick in ticks]
    return [f"{tick:g}" for tick in ticks]


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(nice * power for nice in _STEPS if nice * power >= step * (1 - 1e-9))
