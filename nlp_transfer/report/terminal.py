"""A report in, tables on the terminal out."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from nlp_transfer.records import Report
from nlp_transfer.report.tables import Table, headline, split_tables


def print_report(report: Report, console: Console) -> None:
    """Print the last split in full, the headline of every split, and the notes."""
    splits = list(report.metrics["splits"])
    for table in split_tables(report.metrics, splits[-1]):
        console.print(_rich(f"{splits[-1]}: {table.title}", table))
    for split in splits:
        console.print(headline(report.metrics, split), style="bold", highlight=False)
    for note in report.notes:
        console.print(f"Note: {note}", highlight=False, markup=False)


def _rich(title: str, table: Table) -> RichTable:
    rich = RichTable(title=title, caption=table.note, title_justify="left", caption_justify="left")
    for index, column in enumerate(table.columns):
        rich.add_column(column, justify="left" if index == 0 else "right", no_wrap=index > 0)
    for row in table.rows:
        rich.add_row(*map(escape, row))  # a label may look like [markup]
    return rich
