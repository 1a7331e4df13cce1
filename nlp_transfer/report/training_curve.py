"""Lines of log.jsonl in, charts of how a model learned out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite

from nlp_transfer.shown import LineChart, Series

Point = tuple[float, float]

_MOST_POINTS = 200
"""Of a line; more cannot be told apart, and make the page larger."""
_LOGGED = (
    ("loss", "Training loss", "loss"),
    ("grad_norm", "Gradient norm, before it is cut", "norm"),
)
"""Keys of lines, the titles of their charts and of their axes."""


def training_charts(
    log: Iterable[Mapping[str, object]], *, figure: str, best_step: float | None
) -> tuple[LineChart, ...]:
    """Draw loss and gradient norm at every logged step, and the figure at every evaluation.

    figure:    what evaluations of the validation split measure
    best_step: whose weights were kept, where known
    """
    lines = list(log)
    scores = _points(lines, "eval_score")
    charts = []
    for key, title, name in _LOGGED:
        if points := _points(lines, key):
            shown, each = _thinned(points)
            note = f"Each point is the mean of {each} logged steps." if each > 1 else ""
            charts.append(LineChart(title, "step", name, (Series(name, shown),), note))
    if scores:
        best = [point for point in scores if point[0] == best_step]
        series = [Series("every evaluation", scores)]
        if best:
            series.append(Series("weights that were kept", tuple(best), joined=False))
        title = f"{figure[0].upper()}{figure[1:]} on the validation split"
        charts.append(LineChart(title, "step", figure, tuple(series)))
    return tuple(charts)


def _points(log: Sequence[Mapping[str, object]], key: str) -> tuple[Point, ...]:
    """Pick (step, value) of the lines that have one; a loss that overflowed has none."""
    found = ((line.get("step"), line.get(key)) for line in log)
    return tuple(
        (float(step), float(value))
        for step, value in found
        if isinstance(step, int) and isinstance(value, float | int) and isfinite(value)
    )


def _thinned(points: tuple[Point, ...]) -> tuple[tuple[Point, ...], int]:
    """Average neighbouring points until few enough are left; says how many became one."""
    each = -(-len(points) // _MOST_POINTS)
    groups = [points[at : at + each] for at in range(0, len(points), each)]
    return tuple((group[-1][0], sum(y for _, y in group) / len(group)) for group in groups), each
