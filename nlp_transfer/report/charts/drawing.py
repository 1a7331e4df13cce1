"""Any chart in, its drawing out."""

from __future__ import annotations

from markupsafe import Markup

from nlp_transfer.report.charts.bars import draw_bars
from nlp_transfer.report.charts.grid import draw_grid
from nlp_transfer.report.charts.lines import draw_lines
from nlp_transfer.report.charts.numbers import check_finite
from nlp_transfer.report.charts.svg import element
from nlp_transfer.shown import BarChart, Chart, Grid, LineChart


def draw(chart: Chart, name: str) -> Markup:
    """Draw a chart.

    name:   of which ids are made
    raises: ValueError for a value that is no finite number
    """
    check_finite(chart)
    match chart:
        case LineChart() if any(series.points for series in chart.series):
            return draw_lines(chart, name)
        case BarChart() if chart.bars:
            return draw_bars(chart, name)
        case Grid() if chart.rows and chart.columns:
            return draw_grid(chart, name)
    return element("p", {"class": "empty"}, "There is nothing to draw.")
