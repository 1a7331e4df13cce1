"""A report in, tables on the terminal out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace

from rich.box import HEAVY_HEAD
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from nlp_transfer.report.escaping import visible
from nlp_transfer.report.report import Report
from nlp_transfer.report.tables import shown_splits
from nlp_transfer.shown import Table
from nlp_transfer.tasks.analysis_blocks import short_table

_UNBOUNDED = 10_000
"""Columns that no table needs."""


Cell = Callable[[str, int], RenderableType]


def _plain(text: str, column: int) -> RenderableType:
    return Text(visible(text))  # not as a str: a label may look like [markup] or an :emoji:


def stdout_console() -> Console:
    """Return a console whose lines are wrapped on a terminal, and not in a pipe or file."""
    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console() if has_width else Console(width=_UNBOUNDED)


def print_report(report: Report, console: Console) -> None:
    """Print the last split in full, the headline of every split, and the notes."""
    for name, side in report.tasks.items():
        _print_figures(side, console, f"{name}, ")
    _print_figures(report, console)
    for note in report.notes:
        console.print(f"Note: {note}", highlight=False, markup=False)


def print_table(table: Table, console: Console, *, cell: Cell = _plain) -> None:
    """Print a table under its title.

    cell: makes of a text and the number of its column what is printed
    """
    rich = RichTable(
        title=escape(visible(table.title)) or None,
        caption=escape(visible(table.note)) or None,
        title_justify="left",
        caption_justify="left",
        box=HEAVY_HEAD if table.title else None,
        pad_edge=bool(table.title),
        show_header=any(table.columns),
    )
    for index, column in enumerate(table.columns):
        figures = table.figures and index > 0
        rich.add_column(
            Text(visible(column)),
            justify="right" if figures else "left",
            no_wrap=figures,
            overflow="fold",
        )
    for row in table.rows:
        rich.add_row(*(cell(text, index) for index, text in enumerate(row)))
    console.print(rich)


def _print_figures(report: Report, console: Console, of: str = "") -> None:
    """Print one task's figures.

    of: what to put before each title
    """
    splits = shown_splits(report, of)
    for last in splits[-1:]:
        for table in last.tables:
            print_table(replace(table, title=f"{last.name}: {table.title}"), console)
        if last.analysis and (fails := short_table(last.analysis)):
            print_table(replace(fails, title=f"{last.name}: {fails.title}"), console)
    for split in splits:
        console.print(split.headline, style="bold", highlight=False)
        for caveat in split.caveats:
            console.print(caveat, style="yellow", highlight=False, markup=False)
