"""How far a training is, in; a bar on a terminal or in a notebook out."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

from tqdm.auto import tqdm

from nlp_transfer.logs import in_notebook

_PLAIN_WIDTH = 100
"""Columns where nobody knows how many there are: in notebooks."""
_SHORTEST_BAR = 10


@dataclass(frozen=True)
class Standing:
    """How far a training is, and how well it does."""

    pieces_a_second: float | None = None
    """None before the first step."""
    seconds_left: float | None = None
    """Of the whole training, evaluations too."""
    best: tuple[float, float] | None = None
    """The best evaluation so far: its figure, and the epoch it was at."""
    evaluating: bool = False


class LiveBar:
    """A bar below the lines of a training, on a terminal or in a notebook; else nothing."""

    def __init__(self, headline: str, *, steps: int, done: int) -> None:
        """Open the bar.

        headline: how people call the figure of `Standing.best`
        """
        self._headline = headline
        self._bar: Any = tqdm(
            total=steps,
            initial=done,
            bar_format=_layout(Standing(), headline, _width()),
            dynamic_ncols=True,
            disable=not (sys.stderr.isatty() or in_notebook()),
            leave=False,
        )

    def show(self, standing: Standing, *, steps: int = 0) -> None:
        """Show how far it is; steps: taken since the last time, 0 to show a change at once."""
        if self._bar.disable:
            return
        self._bar.bar_format = _layout(standing, self._headline, _width())
        if steps:
            self._bar.update(steps)  # draws ten times a second at most
        else:
            self._bar.refresh()

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()


def _layout(standing: Standing, headline: str, columns: int) -> str:
    """Say as much as there is room for; a line that wraps would be drawn again and again."""
    known = [", ".join(fact for fact in facts if fact) for facts in _facts(standing, headline)]
    for said in known[:-1]:
        if columns > len(f"training 100 % || {said}") + _SHORTEST_BAR:
            return f"training {{percentage:3.0f}} % |{{bar}}| {said}"
    short = (f"{{percentage:3.0f}} %, {said}" for said in known if columns > len(f"100 %, {said}"))
    return next(short, "{percentage:3.0f} %")


def _facts(standing: Standing, headline: str) -> list[tuple[str, ...]]:
    """List what can be said, the most first; rather the last one but one than a bar."""
    rate = left = ""
    if standing.pieces_a_second is not None:
        rate = f"{standing.pieces_a_second:,.0f} pieces/s"
    if standing.evaluating:
        rate = "evaluating"
    if standing.seconds_left is not None:
        left = f"{_duration(standing.seconds_left)} left"
    if standing.best is None:
        return [(rate, left, "not evaluated yet"), (rate, left), (left,), ()]
    score, epoch = standing.best
    at = f"(epoch {epoch:.3g})"
    return [
        (rate, left, f"best {headline} {score:.4f} {at}"),
        (rate, left, f"best {score:.4f} {at}"),
        (left, f"best {score:.4f}"),
        (left,),
    ]


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{seconds / 3600:.1f} h"


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _PLAIN_WIDTH
    except (OSError, ValueError):  # no terminal, or one without a file
        return _PLAIN_WIDTH
