"""CSV and TSV: a header and a record a row."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from typing import Literal, TextIO

from nlp_transfer.data.columns import CANDIDATES
from nlp_transfer.data.formats.base import TAG_KEYS, TEXT_KEYS, Format, Look, Writer
from nlp_transfer.data.formats.results import Result, check_characters, item_of, labels_of, place
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError, shortened
from nlp_transfer.recipe import Column, DataSection

csv.field_size_limit(1 << 26)  # the default refuses texts over 131,072 characters

_TOLD_BY: tuple[Column, ...] = ("text", "text_pair", "tokens")
"""Roles whose usual names make a line the header of a table, whatever the extension."""
_BETWEEN_LABELS = "|"


def _recognises(look: Look, *, name: Literal["csv", "tsv"]) -> bool:
    """Look for a header, unless the extension promises something else; .csv is believed."""
    return look.promised in ("", "tsv", "jsonl") and _told(look) == name


def _told(look: Look) -> str | None:
    """Tell CSV or TSV by a header: names of which one is known, and as many fields below it."""
    lines, separator, columns = look.lines, look.data.separator, look.data.columns
    if not lines or not all(line.strip() for line in lines[:-1]):
        return None  # sentences of CoNLL columns
    known = [name for role in _TOLD_BY for name in CANDIDATES[role]]
    known += [str(columns[role]).casefold() for role in _TOLD_BY if role in columns]
    for delimiter in [separator] if separator else [",", "\t", ";", "|"]:
        if len(delimiter) == 1 and _is_header(lines, delimiter, known):
            return "tsv" if delimiter == "\t" else "csv"
    # One column alone: a comma in it is a comma.
    return "tsv" if len(lines) > 1 and lines[0].strip().casefold() in known else None


def _is_header(lines: list[str], delimiter: str, known: Collection[str]) -> bool:
    try:
        if delimiter == "\t":
            rows = [line.split(delimiter) for line in lines if line]
        else:
            rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        return False
    names = [field.strip().casefold() for field in rows[0]] if rows else []
    # The last record may go on behind the sample.
    whole = all(len(row) == len(names) for row in rows[:-1])
    return len(names) > 1 and len({*names, ""}) > len(names) and whole and bool({*names} & {*known})


def _read(
    file: DataFile, data: DataSection, *, annotated: bool, name: Literal["csv", "tsv"]
) -> Iterator[RawRow]:
    """Read the records of a file; without a header its columns are "0", "1", ..."""
    delimiter = data.separator or ("," if name == "csv" else "\t")
    if len(delimiter) != 1:
        raise UserError(f"data.separator: {delimiter!r} must be one character for a CSV file.")
    quoted = name == "csv" if data.quoted is None else data.quoted
    reader = csv.reader(
        # csv needs the line ends as they are: a \r\n inside quotes belongs to the text.
        file.lines(data.encoding, data.encoding_errors, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    names: list[str] | None = None
    line = 1  # of the record's first line: a quoted field may go over many
    try:
        for record in reader:
            where, line = f"{file.path}:{line}", reader.line_num + 1
            if not record:
                continue
            if names is None:
                names = _names(record, where, data.header, delimiter)
                if data.header:
                    continue
            if len(record) != len(names):
                raise UserError(
                    f"{where}: {len(record)} fields, the first row has {len(names)} "
                    f"({shortened(names)}). Quote fields that hold {delimiter!r}."
                )
            yield RawRow(where, dict(zip(names, record, strict=True)))
    except csv.Error as error:
        raise UserError(
            f"{file.path}:{line}: {error}. If quotes are plain characters here: data.quoted=false"
        ) from None


def _names(record: list[str], where: str, header: bool, delimiter: str) -> list[str]:
    if not header:
        return [str(number) for number in range(len(record))]
    names = [name.strip() for name in record]
    ((first, count),) = Counter(names).most_common(1)
    if count > 1:
        raise UserError(f"{where}: the column {first!r} stands twice in the header. Rename one.")
    other = next((mark for mark in ";\t|" if mark in names[0]), None)
    if len(names) == 1 and delimiter == "," and other:
        hint = "data.format=tsv" if other == "\t" else f"data.separator='{other}'"
        raise UserError(
            f"{where}: one column only ({names[0]!r}). If {other!r} separates the fields: {hint}"
        )
    return names


def _write(results: Iterable[Result], stream: TextIO) -> None:
    """Write the columns of the first item, the text among them, then label and score.

    One label has its score beside it; the labels of a multi-label task are joined by "|". A field
    that a later item lacks is empty; lists and objects are written as JSON.
    raises: UserError for an item with a column that the first has not, or a label with a "|"
    """
    writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    names: list[str] = []
    for number, result in enumerate(results, start=1):
        where = place(result, number)
        record = {**item_of(result, "label", "score"), **_answer(result, where)}
        if not names:
            names = list(record)
            writer.writerow(names)
        new = [name for name in record if name not in names]
        if new:
            raise UserError(
                f"{where}: it has the columns {shortened(list(record))}; {new[0]!r} is not among "
                f"those of the first item ({shortened(names)}). Use --to jsonl, or give all items "
                "the same columns."
            )
        cells = [_cell(record.get(name)) for name in names]
        check_characters("".join(map(str, cells)), stream.encoding, where, "csv")
        writer.writerow(cells)


def _answer(result: Result, where: str) -> dict[str, str | float]:
    labels = labels_of(result)
    broken = [label for label in labels if _BETWEEN_LABELS in label]
    if broken and "labels" in result:
        raise UserError(
            f"{where}: the label {broken[0]!r} holds {_BETWEEN_LABELS!r}, which stands between "
            "labels in a CSV file. Use --to jsonl."
        )
    score = {"score": result["score"]} if "score" in result else {}
    return {"label": _BETWEEN_LABELS.join(labels), **score}


def _cell(value: object) -> str | int | float:
    """Return what stands in a field: text and numbers as they are, else JSON; None is empty."""
    if value is None:
        return ""
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    return json.dumps(value, ensure_ascii=False)


_KEYS = TEXT_KEYS | TAG_KEYS | {"separator", "header", "quoted", "drop_missing", "slices"}
CSV = Format(
    name="csv",
    recognises=partial(_recognises, name="csv"),
    extensions=(".csv",),
    keys=_KEYS,
    read=partial(_read, name="csv"),
    writer=Writer(needs=(frozenset({"label"}),), to_stream=_write, extension=".csv"),
)
TSV = Format(
    name="tsv",
    recognises=partial(_recognises, name="tsv"),
    extensions=(".tsv",),
    keys=_KEYS,
    read=partial(_read, name="tsv"),
)
