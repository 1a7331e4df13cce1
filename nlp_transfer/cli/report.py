"""`nlpt report`: the report of a finished run, again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlp_transfer.cli.console import JsonOption, show_report, start_logging


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Finished run folder.")],
    html: Annotated[
        Path | None, typer.Option(help="Write its page anew, with the examples, to this file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the report of a finished run.

    Example: nlpt report runs/quickstart-ner --html report.html
    """
    start_logging()
    from nlp_transfer.flows.report import read_report

    show_report(read_report(run, html=html), as_json=as_json)
