"""A file or stdin in, unlabelled items for prediction out, as a stream."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.sources import formats, jsonl
from nlp_transfer.data.sources.text_file import read_lines
from nlp_transfer.errors import UserError, nearest
from nlp_transfer.recipe import DataSection, Format

FORMATS = ("text", *get_args(Format))
_ALSO = ("text_pair", "document", "id")


def read_inputs(source: str, *, input_format: str, column: str) -> Iterator[dict[str, Any]]:
    """Read what is to be predicted.

    source:       a file, a brat folder, or - for one text a line on stdin
    input_format: one of FORMATS; auto goes by the extension, text is one text a line
    column:       the column with the text in tables
    returns:      {"text"} or {"tokens"} an item, in order; labels in a file are not looked at
    """
    if input_format not in FORMATS:
        raise UserError(
            f"--format: {input_format!r} is unknown ({', '.join(FORMATS)})."
            f"{nearest(input_format, FORMATS)}"
        )
    if source == "-":
        if input_format not in ("auto", "text", "jsonl"):
            raise UserError(f"--format: stdin is read as text or jsonl, not {input_format}.")
        return _stdin(as_json=input_format == "jsonl")
    path = Path(source)
    if not path.exists():
        raise UserError(f"INPUT: there is no file {source!r}. Use - for standard input.")
    name = path.with_suffix("") if path.suffix == ".gz" else path
    is_text = input_format == "auto" and path.is_file() and name.suffix not in formats.EXTENSIONS
    if is_text or input_format == "text":
        lines = read_lines(path, encoding="utf-8")
        return ({"text": line.rstrip("\r\n")} for line in lines)
    data = DataSection(source=source, format=input_format)
    rows = formats.reader(path, data, annotated=False)()
    return (_item(row, column) for row in rows)


def _stdin(*, as_json: bool) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(sys.stdin, start=1):
        if not as_json:
            yield {"text": line.rstrip("\r\n")}
        elif line.strip():
            for row in jsonl.rows_of(jsonl.parse(line, "stdin", number), f"stdin:{number}"):
                yield _item(row, "text")


def _item(row: RawRow, column: str) -> dict[str, Any]:
    """Take the words of a row if it has them as text, else its text."""
    values = row.values
    others = {name: values[name] for name in _ALSO if values.get(name) is not None}
    tokens = values.get("tokens")
    if isinstance(tokens, list) and all(isinstance(token, str) for token in tokens):
        return {"tokens": tokens, **others}
    if isinstance(values.get(column), str):
        return {"text": values[column], **others}
    raise UserError(
        f'{row.where}: an item needs "{column}" (a string) or "tokens" (a list of strings). '
        f"Found: {', '.join(values)}. Name the text with --column."
    )
