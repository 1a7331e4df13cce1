"""CSV or TSV with a header in, one row a record out."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlp_transfer.data.sources.text_file import open_text
from nlp_transfer.errors import UserError

csv.field_size_limit(2**31 - 1)  # the default refuses texts over 131,072 characters


def read(path: Path, *, delimiter: str, encoding: str) -> Iterator[dict[str, Any]]:
    """Read the records of a file; fields may hold quoted newlines."""
    # csv needs the line ends as they are: a \r\n inside quotes belongs to the text.
    stream = open_text(path, encoding=encoding, newline="")
    reader = csv.reader(stream, delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        twice = {name for name in header if header.count(name) > 1}
        if twice:
            raise UserError(
                f"{path}:1: the column {sorted(twice)[0]!r} stands twice in the header."
            )
        for record in reader:
            if not record:
                continue
            if len(record) != len(header):
                raise UserError(
                    f"{path}:{reader.line_num}: {len(record)} fields, the header has {len(header)} "
                    f"({', '.join(header)}). Quote fields that hold {delimiter!r}."
                )
            yield {**dict(zip(header, record, strict=True)), "where": f"{path}:{reader.line_num}"}
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: {error}.") from None
