"""Predictions in, a file in the format of an annotation tool out, complete or not there at all.

What is written can be read again as labelled data.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from contextlib import nullcontext
from pathlib import Path

from nlp_transfer.data.formats import FORMATS
from nlp_transfer.data.formats.base import Writer
from nlp_transfer.data.formats.results import Result
from nlp_transfer.errors import UserError, nearest
from nlp_transfer.files import whole_file, whole_folder


def check_target(to: str, output: Path | None) -> None:
    """Refuse what can be told before anything is predicted: the format, the place."""
    writer = _writer(to)
    if output is None:
        if writer.to_folder:
            raise UserError(f"--to: {to} is a folder of files. Name it with --output FOLDER.")
        return
    if not output.absolute().parent.is_dir():
        raise UserError(f"--output: there is no folder {str(output.parent)!r}. Create it first.")
    if writer.to_folder:
        if output.exists() and not (output.is_dir() and not any(output.iterdir())):
            raise UserError(f"--output: {str(output)!r} is there already. Name a new folder.")
    elif output.is_dir():
        raise UserError(f"--output: {str(output)!r} is a folder; --to {to} writes one file.")


def extension_of(to: str) -> str:
    """Return the extension of files that are named after an input.

    raises: UserError for a format that is unknown, or has a folder for each input
    """
    if _writer(to).to_folder:
        raise UserError(f"--to: {to} is a folder of files. Predict one input at a time into it.")
    return _writer(to).extension


def check_results(to: str, keys: Collection[str], task: str) -> None:
    """Refuse a format that cannot hold the results of a task.

    keys: those that a result may have
    """
    if not _writer(to).can_hold(keys):
        able = [name for name, writer in _writers().items() if writer.can_hold(keys)]
        raise UserError(
            f"--to: {to} cannot hold the results of {task} (choose from {', '.join(able)})."
        )


def write_results(results: Iterable[Result], *, to: str, output: Path | None) -> None:
    """Write results as they come.

    to:     the name of a format that is written
    output: a file, or a folder for brat, that takes its name when it is complete; None: stdout
    raises: UserError before any result is asked for, where the place does not fit; later for an
            item that the format cannot hold
    """
    check_target(to, output)
    writer = _writer(to)
    if writer.to_folder:
        assert output is not None
        with whole_folder(output) as folder:
            writer.to_folder(results, folder)
    elif writer.to_stream:
        with nullcontext(sys.stdout) if output is None else whole_file(output) as stream:
            writer.to_stream(results, stream)


def _writers() -> dict[str, Writer]:
    return {known.name: known.writer for known in FORMATS if known.writer}


def _writer(to: str) -> Writer:
    writers = _writers()
    if to not in writers:
        raise UserError(f"--to: {to!r} is unknown ({', '.join(writers)}).{nearest(to, writers)}")
    return writers[to]
