"""JSON lines (or one JSON list) in, one row an object out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlp_transfer.data.sources.text_file import open_text
from nlp_transfer.errors import UserError


def read(path: Path, *, encoding: str) -> Iterator[dict[str, Any]]:
    """Read the objects of a file, each with its place under "where"."""
    stream = open_text(path, encoding=encoding)
    text = stream.read()
    if text.lstrip().startswith("["):
        yield from _read_list(text, path)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _row(_parse(line, path, number), f"{path}:{number}")


def _read_list(text: str, path: Path) -> Iterator[dict[str, Any]]:
    for index, item in enumerate(_parse(text, path, 1)):
        yield _row(item, f"{path}: item {index}")


def _parse(text: str, path: Path, line: int) -> Any:
    try:
        item = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}:{line + error.lineno - 1}: this is not valid JSON: {error.msg} "
            f"(column {error.colno})."
        ) from None
    if "\\u" in text:
        _check_escapes(item, f"{path}:{line}")
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


def parse_object(line: str, where: str) -> dict[str, Any]:
    """Read one JSON object, such as a line of standard input."""
    try:
        return _row(json.loads(line), where)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: this is not valid JSON: {error.msg}.") from None


def _row(item: Any, where: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise UserError(f"{where}: expected an object with columns, found {str(item)[:40]!r}.")
    return {**item, "where": where}
