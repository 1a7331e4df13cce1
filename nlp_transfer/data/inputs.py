"""A file or stdin in, unlabelled items for prediction out, as a stream."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlp_transfer.data.sources import conll, delimited, jsonl
from nlp_transfer.errors import UserError, nearest

FORMATS = ("auto", "text", "jsonl", "csv", "tsv", "conll")
_EXTENSIONS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "tsv",
    ".conll": "conll", ".conllu": "conll", ".iob": "conll", ".iob2": "conll", ".bio": "conll",
}  # fmt: skip


def read_inputs(source: str, *, input_format: str, column: str) -> Iterator[dict[str, Any]]:
    """Read what is to be predicted.

    source:       a file, or - for one text a line on stdin
    input_format: one of FORMATS; auto goes by the extension, text is one text a line
    column:       the column with the text in CSV and TSV files
    returns:      {"text"} or {"tokens"} an item, in order; tags in a file are not looked at
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
    if not path.is_file():
        raise UserError(f"INPUT: there is no file {source!r}. Use - for standard input.")
    if input_format == "auto":
        input_format = _EXTENSIONS.get(path.suffix.lower(), "text")
    return _file(path, input_format, column)


def _stdin(*, as_json: bool) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(sys.stdin, start=1):
        if not as_json:
            yield {"text": line.rstrip("\r\n")}
        elif line.strip():
            yield _checked(jsonl.parse_object(line, f"stdin:{number}"))


def _file(path: Path, input_format: str, column: str) -> Iterator[dict[str, Any]]:
    if input_format == "text":
        with path.open(encoding="utf-8-sig", errors="strict") as file:
            try:
                for line in file:
                    yield {"text": line.rstrip("\r\n")}
            except UnicodeDecodeError as error:
                raise UserError(f"{path}: not UTF-8: {error}. Convert it first.") from None
    elif input_format == "jsonl":
        yield from map(_checked, jsonl.read(path, encoding="utf-8"))
    elif input_format == "conll":
        rows = conll.read(path, tokens="auto", tags=None, separator=None, encoding="utf-8")
        for row in rows:
            yield {"tokens": row["tokens"], "document": row["document"]}
    else:
        delimiter = "," if input_format == "csv" else "\t"
        for row in delimited.read(path, delimiter=delimiter, encoding="utf-8"):
            if column not in row:
                found = [name for name in row if name != "where"]
                raise UserError(
                    f"{path}: there is no column {column!r}. Found: {', '.join(found)}. "
                    "Name it with --column."
                )
            yield {"text": row[column], "text_pair": row.get("text_pair")}


def _checked(row: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(row.get("text"), str) and not isinstance(row.get("tokens"), list):
        raise UserError(f'{row["where"]}: an item needs "text" (a string) or "tokens" (a list).')
    return row
