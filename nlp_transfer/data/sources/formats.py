"""A file in, its format and a function that reads its rows out."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nlp_transfer.data.columns import declared_names
from nlp_transfer.data.grouping import known_column
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.sources import (
    arrow,
    brat,
    conll,
    delimited,
    jsonl,
    label_studio,
    spacy_docs,
)
from nlp_transfer.data.sources.layout import TAG
from nlp_transfer.data.sources.text_file import open_binary
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

Read = Callable[[], Iterator[RawRow]]

EXTENSIONS = {
    ".conll": "conll", ".conllu": "conll", ".iob": "conll", ".iob2": "conll", ".bio": "conll",
    ".jsonl": "jsonl", ".json": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv",
    ".parquet": "parquet", ".arrow": "arrow", ".spacy": "spacy", ".ann": "brat",
}  # fmt: skip
_HEAD_BYTES = 4096
_SAMPLED_JSON_BYTES = 1 << 20
_NEXT_ITEM = re.compile(r"[\s,]*")


def reader(path: Path, data: DataSection, *, annotated: bool = True) -> Read:
    """Choose the function that reads a file, by the recipe's options.

    annotated: False reads words or texts alone, whatever their labels
    """
    text: dict[str, Any] = {"encoding": data.encoding, "errors": data.encoding_errors}
    file_format = detect_format(path, data)
    if file_format == "parquet":
        return lambda: arrow.read_parquet(path)
    if file_format == "arrow":
        return lambda: arrow.read_arrow(path)
    if file_format == "spacy":
        return lambda: spacy_docs.read(path)
    if file_format == "brat":
        return lambda: brat.read(
            path,
            **text,
            in_pieces=data.misaligned != "refuse",
            annotated=annotated,
        )
    if file_format == "label-studio":
        return lambda: label_studio.read(
            path,
            **text,
            drop_missing=data.drop_missing,
            annotated=annotated,
            columns=data.columns,
        )
    if file_format in ("jsonl", "json", "spans"):
        return lambda: jsonl.read(path, **text)
    if file_format in ("csv", "tsv"):
        return lambda: delimited.read(
            path,
            delimiter=data.separator or ("," if file_format == "csv" else "\t"),
            quoted=file_format == "csv" if data.quoted is None else data.quoted,
            header=data.header,
            **text,
        )
    return lambda: conll.read(
        path,
        tokens=data.columns.get("tokens", "auto"),
        tags=data.columns.get("tags", "auto") if annotated else None,
        sentence=data.columns.get("sentence"),
        separator=data.separator,
        **text,
    )


def label_names(path: Path, data: DataSection) -> tuple[str, ...] | None:
    """Find the names of integer labels that a Parquet file declares."""
    if detect_format(path, data) != "parquet":
        return None
    return declared_names(data, arrow.file_label_names(path))


def detect_format(path: Path, data: DataSection) -> str:
    """Look inside a file, then at its extension, and name its format; the recipe's goes first."""
    if data.format != "auto":
        return data.format
    if path.is_dir():
        return "brat"
    try:
        with open_binary(path) as stream:
            head = stream.read(_HEAD_BYTES)
    except (OSError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
            raise UserError(f"{path}: this is not a whole gzip file: {error}.") from None
        raise UserError(f"{path}: this file cannot be read: {error}.") from None
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "arrow"
    name = path.with_suffix("") if path.suffix == ".gz" else path
    named = EXTENSIONS.get(name.suffix.lower(), "")
    text = head.decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")
    if re.match(r'(\[\s*)?\{\s*["}]', text):  # a bare { may be the first word of a CoNLL file
        return "label-studio" if _is_label_studio(path) else "jsonl"
    if named in ("csv", "tsv") and not _looks_like_conll(text):
        return named
    if named in ("parquet", "jsonl", "arrow", "spacy", "brat"):
        return named  # not what it says it is: its own reader gives the clear error
    return "conll"


def _is_label_studio(path: Path) -> bool:
    """Look at the first tasks of a JSON list; one without entities may say nothing."""
    with open_binary(path) as stream:
        text = stream.read(_SAMPLED_JSON_BYTES).decode("utf-8", errors="replace")
    text = text.lstrip("\ufeff \t\r\n")
    return text.startswith("[") and any(map(label_studio.is_label_studio, _items(text)))


def _items(text: str) -> Iterator[Any]:
    """Yield the items of a JSON list, as far as they are whole."""
    decoder = json.JSONDecoder()
    after = 1
    while item := _NEXT_ITEM.match(text, after):
        try:
            found, after = decoder.raw_decode(text, item.end())
        except (ValueError, RecursionError):
            return
        yield found


def _looks_like_conll(text: str) -> bool:
    """Tell CoNLL columns named .tsv from a table, by a column of tags that has no header."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = [line.split("\t") for line in lines[:-1] or lines]
    if not rows or (known_column(rows[0], "tokens") and not any(map(TAG.fullmatch, rows[0]))):
        return False
    columns = zip(*(row for row in rows if len(row) == len(rows[0])), strict=True)
    return any(_are_tags(column) for column in columns)


def _are_tags(values: Sequence[str]) -> bool:
    """Tell tags from labels that are letters: O is among them, or types after a hyphen are."""
    fitting = [value for value in values if TAG.fullmatch(value)]
    surer = any(value == "O" or "-" in value or "_" in value for value in fitting)
    return surer and len(fitting) > len(values) / 2
