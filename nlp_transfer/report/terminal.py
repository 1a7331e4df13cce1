"""A report in, tables on the terminal out."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from nlp_transfer.report.escaping import visible
from nlp_transfer.report.report import Report
from nlp_transfer.report.tables import Table, caveats, headline, side_tasks, split_tables

_UNBOUNDED = 10_000
"""Columns that no table needs."""


def stdout_console() -> Console:
    """Return a console whose lines are wrapped on a terminal, and not in a pipe or file."""
    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console() if has_width else Console(width=_UNBOUNDED)


def print_report(report: Report, console: Console) -> None:
    """Print the last split in full, the headline of every split, and the notes."""
    for name, side in side_tasks(report.metrics).items():
        _print_figures(side, console, f"{name}, ")
    _print_figures(report.metrics, console)
    for note in report.notes:
        console.print(f"Note: {note}", highlight=False, markup=False)


def print_table(table: Table, console: Console) -> None:
    """Print one table under its title."""
    console.print(_rich(table.title, table))


def _print_figures(metrics: Mapping[str, Any], console: Console, of: str = "") -> None:
    """Print one task's figures.

    of: what to put before each title
    """
    splits = list(metrics["splits"])
    for table in split_tables(metrics, splits[-1]):
        console.print(_rich(f"{of}{splits[-1]}: {table.title}", table))
    for split in splits:
        console.print(f"{of}{headline(metrics, split)}", style="bold", highlight=False)
        for caveat in caveats(metrics, split):
            console.print(f"{of}{caveat}", style="yellow", highlight=False, markup=False)


def _rich(title: str, table: Table) -> RichTable:
    rich = RichTable(title=title, caption=table.note, title_justify="left", caption_justify="left")
    for index, column in enumerate(table.columns):
        rich.add_column(column, justify="left" if index == 0 else "right", no_wrap=index > 0)
    for row in table.rows:
        rich.add_row(*(escape(visible(cell)) for cell in row))  # a label may look like [markup]
    return rich
