"""CSV or TSV in, one row a record out."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import Errors, read_lines
from nlp_transfer.errors import UserError, shortened

csv.field_size_limit(1 << 26)  # the default refuses texts over 131,072 characters


def read(
    path: Path,
    *,
    delimiter: str,
    quoted: bool,
    header: bool,
    encoding: str,
    errors: Errors = "strict",
) -> Iterator[RawRow]:
    """Read the records of a file.

    quoted: "..." encloses a field, which may hold delimiters and newlines; else a quote is a
            character like any other
    header: the first record names the columns; else they are "0", "1", ...
    """
    if len(delimiter) != 1:
        raise UserError(f"data.separator: {delimiter!r} must be one character for a CSV file.")
    # csv needs the line ends as they are: a \r\n inside quotes belongs to the text.
    lines = read_lines(path, encoding=encoding, errors=errors, newline="")
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    names: list[str] | None = None
    line = 1  # of the record's first line: a quoted field may go over many
    try:
        for record in reader:
            where, line = f"{path}:{line}", reader.line_num + 1
            if not record:
                continue
            if names is None:
                names = _names(record, where, header, delimiter)
                if header:
                    continue
            if len(record) != len(names):
                raise UserError(
                    f"{where}: {len(record)} fields, the first row has {len(names)} "
                    f"({shortened(names)}). Quote fields that hold {delimiter!r}."
                )
            yield RawRow(where, dict(zip(names, record, strict=True)))
    except csv.Error as error:
        raise UserError(
            f"{path}:{line}: {error}. If quotes are plain characters here: data.quoted=false"
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
