"""What people see of figures: tables, charts and examples. Values; the report room draws them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """What people see in rows and columns; every cell is ready to print."""

    title: str
    """Without one it is a list: no box is drawn around it."""
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    figures: bool = True
    """Whether all columns but the first hold figures; these stand on the right."""

    @property
    def figure_columns(self) -> frozenset[int]:
        """Columns that hold figures, from 0: words among them stand on the left all the same."""
        columns = range(1, len(self.columns)) if self.figures else ()
        return frozenset(column for column in columns if self._has_figures(column))

    def _has_figures(self, column: int) -> bool:
        cells = [row[column] for row in self.rows if column < len(row) and row[column]]
        return not cells or any(character.isdigit() for cell in cells for character in cell)


@dataclass(frozen=True)
class Series:
    """Points of one kind in a chart."""

    name: str
    points: tuple[tuple[float, float], ...]
    """(x, y) each, x rising where they are joined."""
    bounds: tuple[tuple[float, float], ...] = ()
    """(low, high) of each point's y; without them nothing is drawn around the points."""
    names: tuple[str, ...] = ()
    """Of the single points, where each has one."""
    joined: bool = True
    """Whether a line is drawn through the points, or each is a mark of its own."""


@dataclass(frozen=True)
class LineChart:
    """Series over a common axis."""

    title: str
    x: str
    """What the axis counts, with its unit."""
    y: str
    series: tuple[Series, ...]
    note: str = ""
    log_x: bool = False


@dataclass(frozen=True)
class Bar:
    """One bar, with the interval of its value where that is known."""

    name: str
    value: float
    interval: tuple[float, float] | None = None
    count: int | None = None
    """How many examples or entities it stands for."""


@dataclass(frozen=True)
class BarChart:
    """Values of one kind beside each other."""

    title: str
    x: str
    """What the bars measure, with its unit."""
    bars: tuple[Bar, ...]
    note: str = ""


@dataclass(frozen=True)
class Grid:
    """Counts by two names each, such as a confusion matrix."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """A tuple a row."""
    row_axis: str = "gold"
    column_axis: str = "predicted"
    note: str = ""


@dataclass(frozen=True)
class Mark:
    """A stretch of a text, and what it is called."""

    label: str
    start: int
    """In Unicode code points."""
    end: int
    """Exclusive."""
    score: float | None = None


@dataclass(frozen=True)
class Answer:
    """What one side says of a text."""

    side: str
    """gold, predicted, or the name of a run."""
    marks: tuple[Mark, ...] = ()
    labels: tuple[tuple[str, float | None], ...] = ()
    """Labels of the whole text, each with its score where there is one."""


@dataclass(frozen=True)
class Example:
    """A text with what several sides say of it, and by what one would look for it."""

    number: int
    """Its line in predictions.jsonl, from 1."""
    text: str
    answers: tuple[Answer, ...]
    kinds: tuple[str, ...] = ()
    """Kinds of errors in it, such as "missed"; none where all is right."""
    types: tuple[str, ...] = ()
    """Types or labels of either side."""
    slices: tuple[str, ...] = ()
    """Slices that it belongs to."""
    where: str = ""
    """file:line it comes from, where known."""


@dataclass(frozen=True)
class Examples:
    """Texts to look through, by kind of error, type, slice and words."""

    title: str
    examples: tuple[Example, ...]
    note: str = ""


Chart = LineChart | BarChart | Grid
Block = Table | Chart | Examples
"""What a section of a page consists of."""
