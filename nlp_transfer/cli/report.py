"""`nlpt report`: the report of a finished run, again; or whether its files are as written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlp_transfer.cli.console import JsonOption, print_json, show_report, start_logging
from nlp_transfer.errors import UserError


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Finished run folder.")],
    html: Annotated[
        Path | None, typer.Option(help="Write its page anew, with the examples, to this file.")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Say of every file whether it is as written; 2 if not."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the report of a finished run.

    Example: nlpt report runs/quickstart-ner --html report.html
    """
    start_logging()
    if verify:
        if html is not None:
            raise UserError("--verify reads files and writes none: leave out --html.")
        _verify(run, as_json=as_json)
        return
    from nlp_transfer.flows.report import read_report

    show_report(read_report(run, html=html), as_json=as_json)


def _verify(run: Path, *, as_json: bool) -> None:
    """Print what is found of every file; an error where one is damaged, or cannot be verified."""
    from nlp_transfer.flows.verify import verify
    from nlp_transfer.report.terminal import print_table, stdout_console
    from nlp_transfer.report.verification import verdict, verification_table

    found = verify(run)
    if as_json:
        print_json(found.as_dict())
    else:
        print_table(verification_table(found), stdout_console())
    if not found.is_as_written:
        raise UserError(verdict(found))
    if not as_json:
        typer.echo(verdict(found))
