"""`nlpt compare`: whether one run is better than another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlp_transfer.cli.console import JsonOption, print_json, start_logging

if TYPE_CHECKING:
    from nlp_transfer.comparisons.comparison import Comparisons


def compare(
    sides: Annotated[
        list[str],
        typer.Argument(
            metavar="SIDE",
            help="Two or more: run folders, or predictions.jsonl files of any tool, for one test "
            "set. Several seeds of one side: joined by commas (runs/a-1,runs/a-2), a quoted "
            "pattern ('runs/a-*'), or STUDY/ROW.",
        ),
    ],
    html: Annotated[
        Path | None,
        typer.Option(help="Write a page too, with the examples that only one side has right."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say which run is better, or that the test set cannot tell.

    Example: nlpt compare runs/quickstart-ner runs/other --html compare.html
    """
    start_logging()
    from nlp_transfer.flows.compare import compare as compare_sides

    found = compare_sides(*sides, html=html)
    if as_json:
        for caution in found.cautions:
            typer.echo(caution, err=True)
        print_json(found.as_dict())
    else:
        _print(found)


def _print(found: Comparisons) -> None:
    """Print the sides, the figures of each pair, what to know of them, and the verdicts."""
    from nlp_transfer.comparisons.page import flips, method, sides_table, tables
    from nlp_transfer.report.terminal import print_table, stdout_console

    console, pairs = stdout_console(), found.pairs
    print_table(sides_table(pairs), console)
    for pair in pairs:
        for table in tables(pair):
            print_table(table, console)
        console.print(flips(pair), highlight=False, markup=False)
    console.print(method(pairs[0]), highlight=False, markup=False)
    for caution in found.cautions:
        console.print(caution, style="yellow", highlight=False, markup=False)
    for pair in pairs:
        console.print(str(pair), style="bold", highlight=False, markup=False)
