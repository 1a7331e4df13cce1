"""JSON lines, or one JSON document: an object a row."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

from nlp_transfer.data.formats.base import ROW_KEYS, TEXT_KEYS, Format, Writer
from nlp_transfer.data.formats.results import Result, to_json
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection


class _TwiceError(Exception):
    """A key that an object has twice."""


def read_json(file: DataFile, data: DataSection, *, annotated: bool) -> Iterator[RawRow]:
    """Read the objects of a file with one a line, or the items of one JSON list.

    raises: UserError with line and column of what is not JSON
    """
    lines = file.lines(data.encoding, data.encoding_errors)
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    head = list(islice(numbered, 2))
    if not head:
        return
    if _is_document(head[0][1], alone=len(head) == 1):
        lines.close()
        yield from rows_of(read_document(file, data), str(file.path))
        return
    for number, line in chain(head, numbered):
        yield _row(parse(line.rstrip("\n"), file.path, number), f"{file.path}:{number}")


def read_document(file: DataFile, data: DataSection) -> Any:
    """Read one JSON value that fills the file."""
    return parse(file.text(data.encoding, data.encoding_errors), file.path, 1)


def _splits(file: DataFile, data: DataSection) -> Mapping[str, Iterable[RawRow]]:
    """Read a document {"split": [row, ...], ...}; nothing if it is none."""
    lines = file.lines(data.encoding, data.encoding_errors)
    head = list(islice((line for line in lines if line.strip()), 2))
    lines.close()
    first = next(iter(head), "")
    if not first.lstrip().startswith("{") or not _is_document(first, alone=len(head) == 1):
        return {}
    document = read_document(file, data)
    if not (isinstance(document, dict) and document and all(map(_is_rows, document.values()))):
        return {}
    return {name: rows_of(items, f"{file.path}: {name}") for name, items in document.items()}


def rows_of(items: object, where: str) -> Iterator[RawRow]:
    """Read the items of a list as rows; columns of items that are lists themselves have numbers."""
    if isinstance(items, Mapping):
        items = [items]
    if not isinstance(items, Iterable) or isinstance(items, str):
        raise UserError(f"{where}: expected a list of objects, found {str(items)[:40]!r}.")
    for index, item in enumerate(items):
        yield _row(item, f"{where}: item {index}")


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict | list) for item in value)


def _is_document(first_line: str, *, alone: bool) -> bool:
    """Tell a JSON document from JSON lines by the first line that is not blank."""
    try:
        item = json.loads(first_line)
    except (ValueError, RecursionError):
        # A line that is cut off by the layout of a document, not a faulty row of its own.
        return first_line.strip()[-1] in "[{," and first_line.lstrip()[0] in "[{"
    if isinstance(item, list):
        return alone
    return alone and isinstance(item, dict) and bool(item) and all(map(_is_rows, item.values()))


def parse(text: str, path: Path | str, line: int) -> Any:
    """Read one JSON value that begins on a line of a file."""
    try:
        item = json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}:{line + error.lineno - 1}: this is not valid JSON: {error.msg} "
            f"(column {error.colno})."
        ) from None
    except RecursionError:
        raise UserError(f"{path}:{line}: this JSON is nested too deeply.") from None
    except _TwiceError as error:
        raise UserError(
            f"{path}:{line}: the key {str(error)!r} stands twice in one object; rename or remove "
            "one."
        ) from None
    except ValueError:
        raise UserError(
            f"{path}:{line}: a number has too many digits. Write it as text, in quotes."
        ) from None
    if "\\u" in text:
        _check_escapes(item, f"{path}:{line}")
    return item


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    item = dict(pairs)
    if len(item) != len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise _TwiceError(twice)
    return item


def _check_escapes(item: object, where: str) -> None:
    """Refuse half of a surrogate pair: no tokenizer and no table can hold it."""
    try:
        json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{where}: \\u{ord(error.object[error.start]):04x} is half a character. Write the "
            "whole surrogate pair, or the character itself."
        ) from None


def _row(item: object, where: str) -> RawRow:
    if isinstance(item, list):
        return RawRow(where, {str(number): value for number, value in enumerate(item)})
    if not isinstance(item, dict):
        raise UserError(f"{where}: expected an object with columns, found {str(item)[:40]!r}.")
    return RawRow(where, item)


def _write(results: Iterable[Result], stream: TextIO) -> None:
    """Write results as they are: {text or tokens, tags, entities}..., and the item's fields."""
    for result in results:
        stream.write(to_json(result, stream.encoding) + "\n")


JSONL = Format(
    name="jsonl",
    recognises=lambda look: look.is_json,
    extensions=(".jsonl", ".json", ".ndjson"),
    keys=TEXT_KEYS | ROW_KEYS,
    read=read_json,
    splits=_splits,
    writer=Writer(to_stream=_write),
)
JSON = replace(JSONL, name="json", recognises=lambda _: False, extensions=(), writer=None)
