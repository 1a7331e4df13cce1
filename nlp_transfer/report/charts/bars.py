"""A chart of bars in, its drawing out: a line for each bar, with its interval and its figures."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from nlp_transfer.report.charts.numbers import short
from nlp_transfer.report.charts.scales import Scale, scale, tick_texts
from nlp_transfer.report.charts.svg import drawing, element, shortened, text, text_width
from nlp_transfer.shown import Bar, BarChart

_WIDTH, _LINE, _BAR = 520, 24, 12
_LONGEST_NAME = 170.0
_AXIS = 42
"""Height of ticks and title below the bars."""


def draw_bars(chart: BarChart, name: str) -> Markup:
    """Draw a chart; name: of which ids are made."""
    bottom = _LINE * len(chart.bars) + 24.0
    columns = _columns(chart)
    inside = [*_axis(chart, columns, bottom)]
    for number, bar in enumerate(chart.bars):
        inside += _bar(bar, columns, 24.0 + _LINE * (number + 0.5))
    inside += _heads(chart)
    return drawing(
        name,
        width=_WIDTH,
        height=bottom + _AXIS,
        title=chart.title,
        told=_told(chart),
        inside=inside,
    )


def _columns(chart: BarChart) -> Scale:
    """Fit the axis between the names and the figures.

    It always shows 0, and of most fractions 1 too, so that one chart can be held against another.
    """
    names = max(min(_LONGEST_NAME, text_width(bar.name) + 4) for bar in chart.bars)
    ends = [end for bar in chart.bars for end in (bar.value, *(bar.interval or ()))]
    if min(ends) >= 0 and 0.5 <= max(ends) <= 1:
        ends.append(1)
    return scale([0, *ends], names + 14, _WIDTH - _figures_width(chart), rounded=True)


def _figures_width(chart: BarChart) -> float:
    counts = [text_width(f"{bar.count:,}") for bar in chart.bars if bar.count is not None]
    values = [text_width(_value(bar)) for bar in chart.bars]
    return max(values) + 18 + (max(counts) + 14 if counts else 0)


def _value(bar: Bar) -> str:
    return f"{bar.value:.4f}" if abs(bar.value) <= 1 else f"{bar.value:,.2f}"


def _axis(chart: BarChart, across: Scale, bottom: float) -> Iterator[Markup]:
    ticks, end = across.ticks(5), -1.0
    for tick, label in zip(ticks, tick_texts(ticks), strict=True):
        at, half = across(tick), text_width(label) / 2
        style = "rule" if tick else "zero"
        yield element("line", {"class": style, "x1": at, "x2": at, "y1": 20, "y2": bottom})
        if at - half > end:
            yield text(at, bottom + 16, label, "middle dim")
            end = at + half + 6
    middle, room = (across.start + across.end) / 2, 2 * min(across.start, _WIDTH - across.end)
    title = shortened(chart.x, across.end - across.start + room)
    yield text(middle, bottom + 34, title, "middle")


def _bar(bar: Bar, across: Scale, y: float) -> Iterator[Markup]:
    left, right = sorted((across(0), across(bar.value)))
    told = element("title", {}, _sentence(bar))
    yield text(across.start - 10, y + 4, shortened(bar.name, _LONGEST_NAME), "end")
    place: dict[str, str | float] = {"class": "bar", "x": left, "y": y - _BAR / 2}
    yield element("rect", {**place, "width": right - left, "height": _BAR}, told)
    if bar.interval:
        low, high = map(across, bar.interval)
        yield element("path", {"class": "whisker", "d": _whisker(low, high, y)})
    right_end = float(_WIDTH)
    if bar.count is not None:
        yield text(right_end, y + 4, f"{bar.count:,}", "end dim")
    yield text(across.end + 12, y + 4, _value(bar))


def _whisker(low: float, high: float, y: float) -> str:
    return f"M{low:.1f} {y - 4:.1f}v8M{low:.1f} {y:.1f}H{high:.1f}M{high:.1f} {y - 4:.1f}v8"


def _heads(chart: BarChart) -> Iterator[Markup]:
    if any(bar.count is not None for bar in chart.bars):
        yield text(float(_WIDTH), 12, "n", "end dim")


def _sentence(bar: Bar) -> str:
    parts = [f"{bar.name}: {_value(bar)}"]
    if bar.interval:
        parts.append(f"interval {short(bar.interval[0])} to {short(bar.interval[1])}")
    if bar.count is not None:
        parts.append(f"n {bar.count:,}")
    return ", ".join(parts)


def _told(chart: BarChart) -> str:
    most, least = (f(chart.bars, key=lambda bar: bar.value) for f in (max, min))
    return (
        f"{len(chart.bars)} bars of {chart.x}, from {least.name} {_value(least)} "
        f"to {most.name} {_value(most)}."
    )
