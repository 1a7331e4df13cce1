"""The `nlpt` command: its sub-commands, and what an error looks like."""

from __future__ import annotations

import errno
import os
import sys

import typer

from nlp_transfer.cli import (
    evaluate,
    export,
    finetune,
    inspect,
    merge,
    predict,
    prepare,
    pretrain,
    publish,
    recipes,
    report,
)
from nlp_transfer.errors import UserError

app = typer.Typer(
    help="From labelled text to a trustworthy, published model.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for module, panel in (
    (finetune, "Train"),
    (prepare, "Train"),
    (pretrain, "Train"),
    (inspect, "Train"),
    (evaluate, "Use"),
    (predict, "Use"),
    (merge, "Use"),
    (export, "Use"),
    (report, "Use"),
    (publish, "Publish"),
):
    app.command(rich_help_panel=panel)(module.command)
app.add_typer(recipes.app, name="recipes", rich_help_panel="Train")

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS)


def _version(wanted: bool) -> None:
    if wanted:
        from nlp_transfer import __version__

        typer.echo(f"nlpt {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line.

    Exit codes: 0 done, 2 the user's input (one message, no traceback), 130 interrupted, 1 else.
    """
    try:
        app()
    except UserError as error:
        _fail(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `nlpt predict ... | head`
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on from the last checkpoint", err=True)
        sys.exit(130)
    except OSError as error:
        if error.errno in _NO_SPACE:
            _fail(f"The disk is full: {error}. Free some space and run the same command again.")
        if error.errno in _NO_ACCESS:
            _fail(f"{error.filename or 'A file'} cannot be used: {error.strerror}.")
        raise


def _fail(message: str) -> None:
    rank = int(os.environ.get("RANK", "0"))
    typer.echo(f"error: {message}" if rank == 0 else f"process {rank}: {message}", err=True)
    sys.exit(2)
