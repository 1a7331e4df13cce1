"""Predictions in, a file in the format of an annotation tool out, complete or not there at all.

Each format is one module whose `write` takes the results, as `Predictor` yields them, and perhaps
an "id" and a "document" of each. What is written can be read again as labelled data.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from nlp_transfer.data.writers import (
    brat,
    conll,
    delimited,
    doccano,
    jsonl,
    label_studio,
    spans,
)
from nlp_transfer.errors import UserError, nearest
from nlp_transfer.files import whole_file, whole_folder

Result = Mapping[str, Any]


class _Format(NamedTuple):
    """How a format is written to a stream; the one without is a folder."""

    write: Callable[[Iterable[Result], TextIO], None] | None
    tasks: tuple[str, ...] = ("ner", "classification")


FORMATS: Mapping[str, _Format] = {
    "jsonl": _Format(jsonl.write),
    "conll": _Format(conll.write, ("ner",)),
    "spans": _Format(spans.write, ("ner",)),
    "doccano": _Format(doccano.write),
    "label-studio": _Format(label_studio.write),
    "brat": _Format(None, ("ner",)),
    "csv": _Format(delimited.write, ("classification",)),
}


def check_target(to: str, output: Path | None, task: str | None = None) -> None:
    """Refuse what can be told before anything is predicted: the format, the place.

    task: where it is known, also a format that cannot hold its results
    """
    if to not in FORMATS:
        raise UserError(f"--to: {to!r} is unknown ({', '.join(FORMATS)}).{nearest(to, FORMATS)}")
    if task is not None and task not in FORMATS[to].tasks:
        able = ", ".join(name for name, known in FORMATS.items() if task in known.tasks)
        raise UserError(f"--to: {to} cannot hold the results of {task} (choose from {able}).")
    if output is None:
        if FORMATS[to].write is None:
            raise UserError(f"--to: {to} is a folder of files. Name it with --output FOLDER.")
        return
    if not output.absolute().parent.is_dir():
        raise UserError(f"--output: there is no folder {str(output.parent)!r}. Create it first.")
    if FORMATS[to].write is None:
        if output.exists() and not (output.is_dir() and not any(output.iterdir())):
            raise UserError(f"--output: {str(output)!r} is there already. Name a new folder.")
    elif output.is_dir():
        raise UserError(f"--output: {str(output)!r} is a folder; --to {to} writes one file.")


def write_results(results: Iterable[Result], *, to: str, output: Path | None, task: str) -> None:
    """Write results as they come.

    to:     one of FORMATS
    output: a file, or a folder for brat, that takes its name when it is complete; None: stdout
    task:   ner or classification
    raises: UserError before any result is asked for, where the format cannot hold the task's
            results; later for an item that it cannot hold
    """
    check_target(to, output, task)
    write = FORMATS[to].write
    if write is None:
        assert output is not None
        with whole_folder(output) as folder:
            brat.write(results, folder)
        return
    with nullcontext(sys.stdout) if output is None else whole_file(output) as stream:
        write(results, stream)
