"""JSON lines, or one JSON document, in; one row an object out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import Errors, read_lines, read_text
from nlp_transfer.errors import UserError


class _TwiceError(Exception):
    """A key that an object has twice."""


def read(path: Path, *, encoding: str, errors: Errors = "strict") -> Iterator[RawRow]:
    """Read the objects of a file with one a line, or the items of one JSON list.

    raises: UserError with line and column of what is not JSON
    """
    lines = read_lines(path, encoding=encoding, errors=errors)
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    first = next(numbered, None)
    if first is None:
        return
    second = next(numbered, None)
    if _is_document(first[1], alone=second is None):
        yield from rows_of(read_document(path, encoding=encoding, errors=errors), str(path))
        return
    for number, line in chain([first], [second] if second else [], numbered):
        yield _row(parse(line.rstrip("\n"), path, number), f"{path}:{number}")


def read_document(path: Path, *, encoding: str, errors: Errors = "strict") -> Any:
    """Read one JSON value that fills the file."""
    return parse(read_text(path, encoding=encoding, errors=errors), path, 1)


def split_lists(path: Path, *, encoding: str, errors: Errors = "strict") -> dict[str, Any]:
    """Return the lists of rows of a document {"split": [row, ...], ...}; nothing if it is none."""
    lines = read_lines(path, encoding=encoding, errors=errors)
    filled = (line for line in lines if line.strip())
    first = next(filled, "")
    second = next(filled, None)
    if not first.lstrip().startswith("{") or not _is_document(first, alone=second is None):
        return {}
    document = read_document(path, encoding=encoding, errors=errors)
    is_map = isinstance(document, dict) and bool(document)
    return document if is_map and all(_is_rows(value) for value in document.values()) else {}


def rows_of(items: Any, where: str) -> Iterator[RawRow]:
    """Read the items of a list as rows; columns of items that are lists themselves have numbers."""
    if isinstance(items, Mapping):
        items = [items]
    if not isinstance(items, Iterable) or isinstance(items, str):
        raise UserError(f"{where}: expected a list of objects, found {str(items)[:40]!r}.")
    for index, item in enumerate(items):
        yield _row(item, f"{where}: item {index}")


def _is_rows(value: Any) -> bool:
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


def _check_escapes(item: Any, where: str) -> None:
    """Refuse half of a surrogate pair: no tokenizer and no table can hold it."""
    try:
        json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{where}: \\u{ord(error.object[error.start]):04x} is half a character. Write the "
            "whole surrogate pair, or the character itself."
        ) from None


def _row(item: Any, where: str) -> RawRow:
    if isinstance(item, list):
        return RawRow(where, {str(number): value for number, value in enumerate(item)})
    if not isinstance(item, dict):
        raise UserError(f"{where}: expected an object with columns, found {str(item)[:40]!r}.")
    return RawRow(where, item)
