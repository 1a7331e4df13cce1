"""Charts in, tables of the same numbers out: for Markdown, and below every drawing."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from nlp_transfer.shown import Bar, BarChart, Chart, Grid, LineChart, Series, Table

_MOST_PAIRS = 50
"""Counts of a grid that a table lists."""


def table_of(chart: Chart) -> Table:
    """Tabulate what a chart draws.

    raises: ValueError for a value that is no finite number
    """
    check_finite(chart)
    match chart:
        case LineChart():
            return _of_lines(chart)
        case BarChart():
            return _of_bars(chart)
        case Grid():
            return _of_grid(chart)


def check_finite(chart: Chart) -> None:
    """Refuse what a page must not show: who counts says in words what is not defined."""
    for value in _values(chart):
        if not isfinite(value):
            raise ValueError(f"The chart {chart.title!r} has a value that is no number: {value}.")


def _values(chart: Chart) -> Iterator[float]:
    match chart:
        case LineChart():
            for series in chart.series:
                for pair in (*series.points, *series.bounds):
                    yield from pair
        case BarChart():
            for bar in chart.bars:
                yield from (bar.value, *(bar.interval or ()))
        case Grid():
            for counts in chart.counts:
                yield from counts


def short(value: float) -> str:
    """Write a number with four figures after the point at most, large ones with commas."""
    if value and abs(value) < 0.001:
        return f"{value:.2g}"
    return f"{value:,.4f}".rstrip("0").rstrip(".")


def _of_lines(chart: LineChart) -> Table:
    named = any(series.names for series in chart.series)
    bounded = any(series.bounds for series in chart.series)
    several = len(chart.series) > 1
    rows = [
        (
            *([name] if named else []),
            *([series.name] if several else []),
            short(x),
            short(y),
            *([interval] if bounded else []),
        )
        for series in chart.series
        for (x, y), interval, name in zip(
            series.points, _intervals(series), _names(series), strict=True
        )
    ]
    columns = [("", named), ("series", several), (chart.x, True), (chart.y, True)]
    shown = [name for name, there in [*columns, ("interval", bounded)] if there]
    return Table(chart.title, tuple(shown), tuple(rows), chart.note)


def _intervals(series: Series) -> list[str]:
    if not series.bounds:
        return [""] * len(series.points)
    return [f"{short(low)} to {short(high)}" for low, high in series.bounds]


def _names(series: Series) -> tuple[str, ...]:
    return series.names or ("",) * len(series.points)


def _of_bars(chart: BarChart) -> Table:
    bounded = any(bar.interval for bar in chart.bars)
    counted = any(bar.count is not None for bar in chart.bars)

    def cells(bar: Bar) -> tuple[str, ...]:
        low_high = " to ".join(map(short, bar.interval)) if bar.interval else ""
        count = "" if bar.count is None else f"{bar.count:,}"
        middle = (low_high,) if bounded else ()
        return (bar.name, short(bar.value), *middle, *((count,) if counted else ()))

    columns = [("", True), (chart.x, True), ("interval", bounded), ("n", counted)]
    shown = tuple(name for name, there in columns if there)
    return Table(chart.title, shown, tuple(map(cells, chart.bars)), chart.note)


def _of_grid(grid: Grid) -> Table:
    """List the pairs of different names that occur most; the right ones say less."""
    pairs = [
        (count, row, column)
        for row, counts in zip(grid.rows, grid.counts, strict=True)
        for column, count in zip(grid.columns, counts, strict=True)
        if count and row != column
    ]
    most = sorted(pairs, key=lambda pair: -pair[0])[:_MOST_PAIRS]
    left = f" {len(most)} of {len(pairs):,} pairs." if len(pairs) > len(most) else ""
    rows = tuple((row, column, f"{count:,}") for count, row, column in most)
    columns = (grid.row_axis, grid.column_axis, "count")
    return Table(grid.title, columns, rows, f"{grid.note}{left}".strip())
