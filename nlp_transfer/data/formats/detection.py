"""A file in, its format and a function that reads its rows out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nlp_transfer.data.columns import CANDIDATES, declared_names
from nlp_transfer.data.formats import (
    arrow,
    brat,
    class_folders,
    conll,
    delimited,
    jsonl,
    label_studio,
    lines,
    sniffing,
    spacy_docs,
)
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import open_binary
from nlp_transfer.recipe import Column, DataSection

Read = Callable[[], Iterator[RawRow]]

EXTENSIONS = {
    ".conll": "conll", ".conllu": "conll", ".iob": "conll", ".iob2": "conll", ".bio": "conll",
    ".jsonl": "jsonl", ".json": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv",
    ".parquet": "parquet", ".arrow": "arrow", ".spacy": "spacy", ".ann": "brat",
}  # fmt: skip
_SAMPLED_JSON_BYTES = 1 << 20
_NEXT_ITEM = re.compile(r"[\s,]*")
_TOLD_BY: tuple[Column, ...] = ("text", "text_pair", "tokens")
"""Roles whose usual names make a line the header of a table, whatever the extension."""


def reader(path: Path, data: DataSection, *, annotated: bool = True) -> Read:
    """Choose the function that reads a file, by the recipe's options.

    annotated: False reads words or texts alone, whatever their labels
    """
    text: dict[str, Any] = {"encoding": data.encoding, "errors": data.encoding_errors}
    file_format = detect_format(path, data, annotated=annotated)
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
    if file_format == "class-folders":
        return lambda: class_folders.read(path, **text)
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
    if file_format == "text":
        return lambda: lines.read_texts(path, **text)
    if file_format == "fasttext":
        return lambda: lines.read_fasttext(path, **text, annotated=annotated)
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


def detect_format(path: Path, data: DataSection, *, annotated: bool = True) -> str:
    """Look inside a file, then at its extension, and name its format; the recipe's goes first.

    annotated: labels are looked for; else what is nothing but lines is a text a line
    raises:    UserError that names what a file of no such format is
    """
    if path.is_dir() and data.format == "auto":
        return "class-folders" if class_folders.is_class_folders(path) else "brat"
    if path.is_dir():
        return data.format
    head = sniffing.read_head(path)
    if data.format != "auto":
        return data.format
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "arrow"
    text = _decoded(head, data.encoding).lstrip("\ufeff \t\r\n")
    if re.match(r'(\[\s*)?\{\s*["}]', text):  # a bare { may be the first word of a CoNLL file
        return "label-studio" if _is_label_studio(path) else "jsonl"
    sniffing.refuse_page(path, text)
    sample = sniffing.sample_lines(text, cut=len(head) == sniffing.HEAD_BYTES)
    return _format_of_lines(sample, named_format(path), data, annotated)


def named_format(path: Path) -> str:
    """Name the format that a file's extension promises, .gz aside; "" where it says nothing."""
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return EXTENSIONS.get(name.suffix.lower(), "")


def _decoded(head: bytes, encoding: str) -> str:
    try:
        return head.decode(encoding, errors="replace")
    except (LookupError, ValueError):
        return head.decode("latin-1")  # reading the file says what is wrong with the encoding


def _format_of_lines(sample: list[str], named: str, data: DataSection, annotated: bool) -> str:
    if sniffing.is_fasttext(sample):
        return "fasttext"
    if named == "conll" or (not named and sniffing.is_conll(sample)):
        return "conll"
    if named in ("csv", "tsv") and sniffing.is_tagged(sample):
        return "conll"
    if named not in ("", "tsv", "jsonl"):
        return named  # what is not what its name says: its own reader gives the clear error
    known = [name for role in _TOLD_BY for name in CANDIDATES[role]]
    known += [str(data.columns[role]).casefold() for role in _TOLD_BY if role in data.columns]
    if table := sniffing.table_format(sample, known, data.separator):
        return table
    return named or ("conll" if annotated else "text")


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
