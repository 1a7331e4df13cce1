"""A file, a folder or stdin in, the rows that are to be predicted out, as a stream."""

from __future__ import annotations

import base64
import io
import json
import logging
import math
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TypeAlias

from nlp_transfer.data.formats import format_of
from nlp_transfer.data.formats.brat import is_brat
from nlp_transfer.data.formats.class_folders import is_class_folders
from nlp_transfer.data.formats.jsonl import parse, rows_of
from nlp_transfer.data.grouping import whole_sentences
from nlp_transfer.data.input_options import with_options
from nlp_transfer.data.items import Columns, Item, ItemReader
from nlp_transfer.data.keys import with_numbers
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.sources.local import NOT_DATA, visible
from nlp_transfer.data.sources.saved import is_saved
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError, shortened
from nlp_transfer.recipe import DataSection

log = logging.getLogger(__name__)

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

_STDIN_FORMATS = ("auto", "text", "jsonl")
_BRAT = (".txt", ".ann")


@with_options()
def check_inputs(data: DataSection) -> None:
    """Refuse what `nlpt predict` cannot read, before a model is loaded."""
    if data.source == "-":
        if data.format not in _STDIN_FORMATS:
            raise UserError(
                f"--format: stdin is read as {' or '.join(_STDIN_FORMATS[1:])}, not "
                f"{data.format}. Save it to a file first."
            )
        return
    path = Path(data.source)
    if not path.exists():
        raise UserError(f"INPUT: there is no file {data.source!r}. Use - for standard input.")
    if not path.is_file() and not path.is_dir():
        raise UserError(
            f"INPUT: {data.source} is a pipe or a device, which cannot be looked at before it is "
            "read. Use - for standard input, or a file."
        )
    for file in _files(path, data):
        with DataFile(file) as looked_at:
            format_of(looked_at, data, annotated=False)


def read_inputs(data: DataSection, kept: Columns | None = None) -> Iterator[RawRow]:
    """Read what is to be predicted, and say where that is nothing; else as `read_rows`."""
    some = False
    for row in read_rows(data, kept):
        some = True
        yield row
    if not some:
        name = "stdin" if data.source == "-" else data.source
        log.warning("%s: there is nothing to predict, it holds no text", name)


def read_rows(data: DataSection, kept: Columns | None = None) -> Iterator[RawRow]:
    """Read an input, in order; labels are fields like any other.

    data:   source: a file, a folder, or - for stdin; format and options as in a recipe
    kept:   columns that the model learned from; the recipe's own columns go first
    raises: UserError for what cannot be read
    """
    if data.source == "-":
        yield from _stdin(data)
        return
    path = Path(data.source)
    files = _files(path, data)
    _say_order(path, files)
    for file in files:
        yield from _rows(file, data, kept or {})


def read_items(data: DataSection, kept: Columns) -> Iterator[Item]:
    """Read what is to be predicted, what a model reads of each row and its other fields.

    kept:   columns that the model learned from
    raises: UserError that names the options of `nlpt predict`
    """
    with with_options():
        reader = ItemReader(kept, dict(data.columns.items()))
        yield from reader.items(read_inputs(data, kept))


def _rows(path: Path, data: DataSection, kept: Columns) -> Iterator[RawRow]:
    """Read one file: its rows with values that JSON can hold."""
    told = data.model_copy(update={"columns": {**kept, **data.columns}})
    told = told.where_lapses(f"columns.{role}" for role in kept if role not in data.columns)
    with DataFile(path) as file:
        found = format_of(file, told, annotated=False)
        assert found.read is not None
        rows = found.read(file, with_numbers(told, found), annotated=False)
        for row in whole_sentences(rows, told, annotated=False):
            yield _plain_row(row)


def _files(path: Path, data: DataSection) -> list[Path]:
    """List the files of a folder by name, or the one thing that a path is.

    raises: UserError for a folder whose files are not surely what is to be read
    """
    if not path.is_dir():
        return [path]
    if is_class_folders(path):
        return [path]
    if is_saved(path):
        raise UserError(
            f"{path}: this is a saved data set (save_to_disk). Name one of its .arrow files."
        )
    entries = visible(path)
    folders = [entry.name for entry in entries if entry.is_dir()]
    files = [entry for entry in entries if entry.is_file() and entry.suffix.lower() not in NOT_DATA]
    shown = shortened([entry.name for entry in entries], 12) or "nothing"
    if folders or not files:
        raise UserError(
            f"{path}: a folder is read if it holds files of texts and no folders. Found: {shown}. "
            "Name a file, or one of the folders."
        )
    if data.format in ("auto", "brat"):
        others = [file.name for file in files if file.suffix not in _BRAT]
        if not others:
            return [path]
        if data.format == "brat" or is_brat(path):
            raise UserError(
                f"{path}: beside brat's .txt and .ann there are other files: "
                f"{shortened(others, 12)}. Move them away, or name one file."
            )
    return files


def _say_order(path: Path, files: list[Path]) -> None:
    """Say what of a folder is read, and in which order."""
    if files == [path] and path.is_dir():
        log.info("%s: its files are read by name, each as one text", path)
    elif files != [path]:
        names = shortened([file.name for file in files], 12)
        log.info("%s: %d file(s) are read, in this order: %s", path, len(files), names)


def _stdin(data: DataSection) -> Iterator[RawRow]:
    """Read a text a line, or JSON lines: by what the first line is, unless the format is told."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding=data.encoding, errors=data.encoding_errors)
    lines = enumerate(_decoded(sys.stdin, data.encoding), start=1)
    head = list(islice(lines, 1))
    as_json = data.format == "jsonl"
    if data.format == "auto" and any(_is_object(line) for _, line in head):
        log.info("stdin: the first line is a JSON object, so JSON lines are read")
        as_json = True
    for number, line in chain(head, lines):
        if not as_json:
            yield RawRow(f"stdin:{number}", {"text": line.rstrip("\r\n")})
        elif line.strip():
            for row in rows_of(parse(line, "stdin", number), f"stdin:{number}"):
                yield _plain_row(row)


def _decoded(stream: Iterable[str], encoding: str) -> Iterator[str]:
    try:
        for number, line in enumerate(stream, start=1):
            yield line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeDecodeError as error:
        raise UserError(
            f"stdin: byte 0x{error.object[error.start]:02X} is not "
            f"{encoding}. Name its encoding with data.encoding=..., or read such bytes as U+FFFD "
            "with data.encoding_errors=replace."
        ) from None


def _is_object(line: str) -> bool:
    try:
        item = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(item[0] if isinstance(item, list) and item else item, dict)


def _plain_row(row: RawRow) -> RawRow:
    return RawRow(row.where, {str(name): plain(value) for name, value in row.values.items()})


def plain(value: object) -> Json:
    """Return a value as JSON can hold it: tables also have dates, decimals, bytes and NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value.isoformat() if hasattr(value, "isoformat") else value)
