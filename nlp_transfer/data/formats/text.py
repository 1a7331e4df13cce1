"""A text a line: what `nlpt predict` reads, and what is nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from nlp_transfer.data.formats.base import TEXT_KEYS, Format
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.recipe import DataSection


def _read(file: DataFile, data: DataSection, *, annotated: bool) -> Iterator[RawRow]:
    """Read every line, empty ones too."""
    for number, line in enumerate(file.lines(data.encoding, data.encoding_errors), start=1):
        yield RawRow(f"{file.path}:{number}", {"text": line.rstrip("\r\n")})


TEXT = Format(name="text", keys=TEXT_KEYS | {"drop_missing"}, read=_read)
