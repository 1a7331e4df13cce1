"""A chart of series in, its drawing out: lines, bands around them, and points with names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from nlp_transfer.report.charts.numbers import short
from nlp_transfer.report.charts.point_names import Box, place_names
from nlp_transfer.report.charts.scales import Scale, scale, tick_texts
from nlp_transfer.report.charts.svg import TEXT, drawing, element, path, shortened, text, text_width
from nlp_transfer.shown import LineChart, Series

_WIDTH, _HEIGHT = 520, 300
_RIGHT, _BOTTOM, _TOP = 20, 46, 14
_LEGEND_LINE = 20
_MOST_MARKS = 25
"""Points of a line that are marked; more would make a band of it."""
_STYLES = 6
"""Colours, dashes and marks in page.css; after them they come again."""


@dataclass(frozen=True)
class _Plot:
    """Where a chart's values lie."""

    x: Scale
    y: Scale


def draw_lines(chart: LineChart, name: str) -> Markup:
    """Draw a chart; name: of which ids are made."""
    legend, legend_height = _legend(chart.series)
    plot = _plot(chart, top=_TOP + legend_height)
    inside = [*legend, *_axes(chart, plot)]
    for number, series in enumerate(chart.series):
        style = f"series c{number % _STYLES}"
        inside.append(element("g", {"class": style}, *_series(series, plot, number % _STYLES)))
    inside += _names(chart, plot)
    return drawing(
        name, width=_WIDTH, height=_HEIGHT, title=chart.title, told=told(chart), inside=inside
    )


def _plot(chart: LineChart, *, top: float) -> _Plot:
    points = [point for series in chart.series for point in series.points]
    bounds = [bound for series in chart.series for pair in series.bounds for bound in pair]
    y = scale([*(y for _, y in points), *bounds], _HEIGHT - _BOTTOM, top, rounded=True)
    left = TEXT + 14 + max(map(text_width, tick_texts(y.ticks(5))), default=0)
    x = scale([x for x, _ in points], left + 8, _WIDTH - _RIGHT, log=chart.log_x)
    return _Plot(x, y)


def _axes(chart: LineChart, plot: _Plot) -> Iterator[Markup]:
    left, right, bottom = plot.x.start - 8, float(_WIDTH - _RIGHT), plot.y.start
    ticks = plot.y.ticks(5)
    for tick, label in zip(ticks, tick_texts(ticks), strict=True):
        at = plot.y(tick)
        yield element("line", {"class": "rule", "x1": left, "x2": right, "y1": at, "y2": at})
        yield text(left - 6, at + 4, label, "end dim")
    ticks, end = plot.x.ticks(6), -1.0
    for tick, label in zip(ticks, tick_texts(ticks), strict=True):
        at, half = plot.x(tick), text_width(label) / 2
        yield element("line", {"class": "rule", "x1": at, "x2": at, "y1": bottom, "y2": bottom + 4})
        if at - half > end and at + half < _WIDTH:
            yield text(at, bottom + 18, label, "middle dim")
            end = at + half + 6
    middle = (left + right) / 2
    yield text(middle, _HEIGHT - 8, shortened(chart.x, right - left), "middle")
    turned = f"rotate(-90 {TEXT} {(plot.y.end + bottom) / 2:.1f})"
    label = shortened(chart.y, bottom - plot.y.end)
    yield text(TEXT, (plot.y.end + bottom) / 2, label, "middle", transform=turned)


def _series(series: Series, plot: _Plot, style: int) -> Iterator[Markup]:
    places = [(plot.x(x), plot.y(y)) for x, y in series.points]
    bands = [(plot.y(low), plot.y(high)) for low, high in series.bounds]
    if bands and series.joined and len(places) > 1:
        low = [(x, low) for (x, _), (low, _) in zip(places, bands, strict=True)]
        high = [(x, high) for (x, _), (_, high) in zip(places, bands, strict=True)]
        yield element("polygon", {"class": "band", "points": path([*low, *reversed(high)])})
    else:
        for (x, _), (low_y, high_y) in zip(places, bands, strict=False):
            yield element("line", {"class": "whisker", "x1": x, "x2": x, "y1": low_y, "y2": high_y})
    if series.joined and len(places) > 1:
        yield element("polyline", {"class": "line", "points": path(places)})
    if not series.joined or len(places) <= _MOST_MARKS:
        names = series.names or (series.name,) * len(places)
        for place, (x, y), name in zip(places, series.points, names, strict=True):
            told = element("title", {}, f"{name}: {short(x)}, {short(y)}")
            yield element("path", {"class": "mark", "d": _mark(*place, style)}, told)


def _mark(x: float, y: float, style: int) -> str:
    """Outline a mark: colours alone would not tell series apart on paper, nor to everybody."""
    shapes = (
        "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",  # circle
        "m-3.2 -3.2h6.4v6.4h-6.4z",  # square
        "m0 -4.4l4.2 7.4h-8.4z",  # triangle
        "m0 -4.6l4.6 4.6l-4.6 4.6l-4.6 -4.6z",  # diamond
        "m-1.4 -4h2.8v2.6h2.6v2.8h-2.6v2.6h-2.8v-2.6h-2.6v-2.8h2.6z",  # cross
        "m0 4.4l4.2 -7.4h-8.4z",  # triangle, turned
    )
    return f"M{x:.1f} {y:.1f}{shapes[style]}"


def _names(chart: LineChart, plot: _Plot) -> Iterator[Markup]:
    points = [
        (plot.x(x), plot.y(y), shortened(name, _WIDTH / 3))
        for series in chart.series
        if series.names
        for (x, y), name in zip(series.points, series.names, strict=True)
    ]
    room = Box(plot.x.start - 8, plot.y.end - 10, _WIDTH - 2, plot.y.start)
    for x, y, name in place_names(points, room):
        yield text(x, y, name, "name")


def _legend(series: tuple[Series, ...]) -> tuple[list[Markup], float]:
    """Name the series above the plot, in as many lines as they need; one series needs none."""
    if len(series) < 2:
        return [], 0
    drawn, x, y = [], 30.0, float(_TOP)
    for number, each in enumerate(series):
        name, style = shortened(each.name, _WIDTH - 60), number % _STYLES
        width = 30 + text_width(name)
        if x > 30 and x + width > _WIDTH:
            x, y = 30.0, y + _LEGEND_LINE
        line = {"class": "line", "points": path([(x, y), (x + 18, y)])}
        swatch = [element("polyline", {**line})] if each.joined else []
        swatch.append(element("path", {"class": "mark", "d": _mark(x + 9, y, style)}))
        drawn.append(element("g", {"class": f"series c{style}"}, *swatch))
        drawn.append(text(x + 24, y + 4, name))
        x += width + 14
    return drawn, y - _TOP + _LEGEND_LINE


def told(chart: LineChart) -> str:
    """Say in words what is drawn."""
    parts = [
        f"{series.name}: {len(series.points)} points from "
        f"{short(min(y for _, y in series.points))} to {short(max(y for _, y in series.points))}"
        for series in chart.series
        if series.points
    ]
    return f"{chart.y} by {chart.x}. {'; '.join(parts)}."
