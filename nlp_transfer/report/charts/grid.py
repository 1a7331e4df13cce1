"""A grid of counts in, its drawing out: a square for each count that is not 0.

Three drawings beside each other, so that names stay in sight while one scrolls through 150 rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

from markupsafe import Markup

from nlp_transfer.report.charts.svg import drawing, element, shortened, text, text_width
from nlp_transfer.shown import Grid

_LONGEST_NAME = 150.0
_CELLS = ((10, 40.0), (25, 30.0), (50, 20.0))
"""Up to so many rows and columns, so wide a square."""
_SMALLEST = 15.0
_WITH_NUMBERS = 26.0
"""Width from which a square holds a number of four figures."""


@dataclass(frozen=True)
class _Sizes:
    cell: float
    names: float
    """Width of the names of rows."""
    heads: float
    """Height of the names of columns, which are turned."""


def draw_grid(grid: Grid, name: str) -> Markup:
    """Draw a grid; name: of which ids are made."""
    sizes = _sizes(grid)
    width, height = sizes.cell * len(grid.columns) + 2, sizes.cell * len(grid.rows) + 2
    heads = _side(sizes, grid.columns, grid.column_axis, across=True)
    names = _side(sizes, grid.rows, grid.row_axis, across=False)
    cells = drawing(
        name,
        width=width,
        height=height,
        title=grid.title,
        told=_told(grid),
        inside=[*_rules(grid, sizes), *_cells(grid, sizes)],
    )
    corner = Markup('<span class="corner"></span>')
    return element("div", {"class": f"grid cells-{sizes.cell:.0f}"}, corner, heads, names, cells)


def _sizes(grid: Grid) -> _Sizes:
    most = max(len(grid.rows), len(grid.columns))
    cell = next((width for count, width in _CELLS if most <= count), _SMALLEST)

    def room(names: tuple[str, ...]) -> float:
        return min(_LONGEST_NAME, max(map(text_width, names), default=0)) + 28

    return _Sizes(cell, room(grid.rows), room(grid.columns))


def _side(sizes: _Sizes, names: tuple[str, ...], axis: str, *, across: bool) -> Markup:
    """Write the names along one side; every square says its own to who hears the page."""
    length = sizes.cell * len(names) + 2
    width, height = (length, sizes.heads) if across else (sizes.names, length)
    inside = []
    for number, name in enumerate(names):
        at = sizes.cell * (number + 0.5) + 1
        label = shortened(name, _LONGEST_NAME)
        whole = [element("title", {}, name)] if label.endswith("…") else []
        x, y = (at + 4, height - 6) if across else (width - 6, at + 4)
        turned = {"transform": f"rotate(-90 {x:.1f} {y:.1f})"} if across else {"class": "end"}
        inside.append(element("text", {"x": x, "y": y, **turned}, label, *whole))
    if across:
        inside.append(text(0, 12, axis, "axis"))
    else:
        inside.append(text(12, 0, axis, "axis end", transform="rotate(-90 12 0)"))
    attributes: dict[str, str | float] = {
        "class": "columns" if across else "rows",
        "viewBox": f"0 0 {width:.1f} {height:.1f}",
        "width": width,
        "height": height,
        "aria-hidden": "true",
    }
    return element("svg", attributes, *inside)


def _rules(grid: Grid, sizes: _Sizes) -> Iterator[Markup]:
    width, height = sizes.cell * len(grid.columns), sizes.cell * len(grid.rows)
    down = "".join(
        f"M{1 + sizes.cell * n:.1f} 1v{height:.1f}" for n in range(len(grid.columns) + 1)
    )
    over = "".join(f"M1 {1 + sizes.cell * n:.1f}h{width:.1f}" for n in range(len(grid.rows) + 1))
    yield element("path", {"class": "rule", "d": down + over})


def _cells(grid: Grid, sizes: _Sizes) -> Iterator[Markup]:
    most = {same: _most(grid, same=same) for same in (True, False)}
    for down, over, count in _counts(grid):
        row, column = grid.rows[down], grid.columns[over]
        told = f"{grid.row_axis} {row}, {grid.column_axis} {column}: {count:,}"
        yield from _cell(sizes, down, over, count, most[row == column], row == column, told)


def _cell(
    sizes: _Sizes, down: int, over: int, count: int, most: int, same: bool, told: str
) -> Iterator[Markup]:
    """Draw the square of a count.

    most: the highest count that is coloured alike
    told: what appears under the pointer
    """
    size, x, y = sizes.cell, 1 + sizes.cell * over, 1 + sizes.cell * down
    numbered = size >= _WITH_NUMBERS
    # Of the root: a pair that was confused once must be seen beside one of a hundred. Pale under
    # a number, which must stay readable.
    least, further = (0.12, 0.38) if numbered else (0.25, 0.75)
    yield element(
        "rect",
        {
            "class": "same" if same else "other",
            "x": x,
            "y": y,
            "width": size,
            "height": size,
            "fill-opacity": f"{least + further * sqrt(count / most):.2f}",
        },
        element("title", {}, told),
    )
    if numbered:
        yield text(x + size / 2, y + size / 2 + 4, _brief(count), "middle count")


def _counts(grid: Grid) -> Iterator[tuple[int, int, int]]:
    """Yield (row, column, count) of what is not 0."""
    for down, counts in enumerate(grid.counts):
        for over, count in enumerate(counts):
            if count:
                yield down, over, count


def _most(grid: Grid, *, same: bool) -> int:
    counts = (
        count
        for down, over, count in _counts(grid)
        if (grid.rows[down] == grid.columns[over]) == same
    )
    return max(counts, default=0)


def _brief(count: int) -> str:
    return str(count) if count < 10_000 else f"{count / 1000:.0f}k"


def _told(grid: Grid) -> str:
    total = sum(map(sum, grid.counts))
    return (
        f"{total:,} by {grid.row_axis} ({len(grid.rows)} rows) and {grid.column_axis} "
        f"({len(grid.columns)} columns)."
    )
