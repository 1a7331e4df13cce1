"""Charts: every value has its place, no name lies on another, and nothing is drawn of no number."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_transfer.report.charts.drawing import draw
from nlp_transfer.report.charts.numbers import table_of
from nlp_transfer.report.charts.scales import scale, tick_texts
from nlp_transfer.shown import Bar, BarChart, Chart, Grid, LineChart, Series

NASTY = "</title><script>alert(1)</script>\"'&\u202e"
NUMBERS = st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6)


def lines(*series: Series, log_x: bool = False) -> LineChart:
    return LineChart("t", "x", "y", series, log_x=log_x)


def tree(chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{draw(chart, 'c')}</div>")


def texts(chart: Chart) -> list[str]:
    return [text.text or "" for text in tree(chart).iter("text")]


CHARTS = (
    lines(Series(NASTY, ((1, 2), (2, 3)), ((1, 3), (2, 4)), (NASTY, "b"), joined=False)),
    lines(Series("a", ((1, 1), (10, 2))), Series(NASTY, ((1, 2),)), log_x=True),
    BarChart(NASTY, NASTY, (Bar(NASTY, 0.5, (0.4, 0.6), 3), Bar("b", -0.2))),
    Grid(NASTY, (NASTY, "b"), (NASTY, "missed"), ((3, 0), (1, 2)), NASTY),
)


@pytest.mark.parametrize("chart", CHARTS)
def test_a_drawing_is_well_formed_named_and_shows_text_as_text(chart: Chart) -> None:
    drawn = tree(chart)
    assert not list(drawn.iter("script"))
    assert "\u202e" not in draw(chart, "c")
    ids = [each.get("id") for each in drawn.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    (named,) = (svg for svg in drawn.iter("svg") if svg.get("role") == "img")
    assert named.get("aria-labelledby", "").split() == ids
    assert not any(each.get("style") for each in drawn.iter())  # the page's policy forbids it


@pytest.mark.parametrize(
    "chart",
    [
        lines(),
        lines(Series("a", ())),
        BarChart("t", "x", ()),
        Grid("t", (), (), ()),
    ],
)
def test_of_nothing_the_page_says_so(chart: Chart) -> None:
    assert "nothing to draw" in draw(chart, "c")
    assert table_of(chart).rows == ()


@pytest.mark.parametrize(
    "chart",
    [
        lines(Series("a", ((5, 0.5),))),
        lines(Series("a", ((0, 0), (0, 0)))),
        lines(Series("a", ((0, 1), (5, 2))), log_x=True),
        BarChart("t", "x", (Bar("only", 0),)),
        Grid("t", ("a",), ("a",), ((0,),)),
        Grid("t", ("a",), ("b",), ((7,),)),
    ],
)
def test_one_point_and_no_span_are_drawn(chart: Chart) -> None:
    assert "<svg" in draw(chart, "c")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("write", [lambda chart: draw(chart, "c"), table_of])
def test_what_is_no_number_is_refused(bad: float, write) -> None:
    for chart in (
        lines(Series("a", ((1, bad),))),
        lines(Series("a", ((bad, 1),))),
        lines(Series("a", ((1, 1),), ((0, bad),))),
        BarChart("t", "x", (Bar("a", bad),)),
        BarChart("t", "x", (Bar("a", 1, (bad, 1)),)),
    ):
        with pytest.raises(ValueError, match="The chart 't' has a value that is no number"):
            write(chart)


def test_a_longer_bar_is_of_a_higher_value_and_starts_at_0() -> None:
    chart = BarChart("t", "x", (Bar("a", 0.25), Bar("b", 0.5), Bar("c", -0.5)))
    bars = list(tree(chart).iter("rect"))
    widths = [float(bar.get("width", "")) for bar in bars]
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.2)
    assert widths[2] == pytest.approx(widths[1], abs=0.2)
    starts = [float(bar.get("x", "")) for bar in bars]
    assert starts[0] == starts[1] == pytest.approx(starts[2] + widths[2], abs=0.2)


def test_single_points_have_their_names_where_there_is_room() -> None:
    points = tuple((float(x), 0.5) for x in range(10))
    apart = Series("rows", points, names=tuple("abcdefghij"), joined=False)
    assert set("abcdefghij") <= set(texts(lines(apart)))
    heap = Series("rows", ((1, 1),) * 30, names=("a long name of a row",) * 30, joined=False)
    shown = texts(lines(heap, Series("far", ((2, 2),)))).count("a long name of a row")
    assert 1 <= shown <= 8
    assert draw(lines(heap), "c").count("a long name of a row: 1, 1") == 30  # under the pointer


def test_the_legend_names_several_series_and_leaves_one_alone() -> None:
    one, other = Series("first", ((1, 1), (2, 2))), Series("second", ((1, 2), (2, 1)))
    assert {"first", "second"} <= set(texts(lines(one, other)))
    assert "first" not in texts(lines(one))


def test_a_grid_of_150_names_every_row_and_draws_what_is_not_0() -> None:
    names = tuple(f"class {number}" for number in range(150))
    counts = tuple(tuple(int(a == b) for b in range(150)) for a in range(150))
    grid = Grid("t", names, names, counts)
    assert texts(grid).count("class 149") == 2
    assert draw(grid, "c").count("<rect") == 150
    assert len(draw(grid, "c")) < 100_000


def test_the_table_of_a_grid_has_the_pairs_that_are_confused_most_first() -> None:
    grid = Grid("t", ("a", "b"), ("a", "b", "missed"), ((9, 1, 0), (3, 8, 2)))
    table = table_of(grid)
    assert table.columns == ("gold", "predicted", "count")
    assert table.rows == (("b", "a", "3"), ("b", "missed", "2"), ("a", "b", "1"))


def test_the_table_of_a_line_chart_has_all_that_is_drawn() -> None:
    chart = lines(
        Series("a", ((1, 0.5),), ((0.25, 0.75),), ("point",)), Series("b", ((2000, 1e-5),))
    )
    table = table_of(chart)
    assert table.columns == ("", "series", "x", "y", "interval")
    assert table.rows == (
        ("point", "a", "1", "0.5", "0.25 to 0.75"),
        ("", "b", "2,000", "1e-05", ""),
    )


@given(st.lists(NUMBERS, min_size=1, max_size=20), st.booleans(), st.booleans())
def test_every_value_lies_on_its_axis_in_order_with_ticks_that_differ(
    values: list[float], log: bool, rounded: bool
) -> None:
    axis = scale(values, 0, 100, log=log, rounded=rounded)
    places = [axis(value) for value in sorted(values)]
    assert all(-1e-6 <= place <= 100 + 1e-6 for place in places)
    assert places == sorted(places)
    ticks = axis.ticks(5)
    assert len(ticks) <= 8
    written = tick_texts(ticks)
    assert len(set(written)) == len(written)


def test_ticks_are_round() -> None:
    assert tick_texts(scale([0.41, 0.83], 0, 1, rounded=True).ticks(5)) == [
        "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"]  # fmt: skip
    assert tick_texts(scale([50, 800], 0, 1, log=True).ticks(6)) == [
        "50", "100", "200", "300", "500"]  # fmt: skip
    assert re.fullmatch(r"[\d,]+", tick_texts(scale([0, 12_345], 0, 1).ticks(5))[-1])
