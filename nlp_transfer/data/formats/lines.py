"""Lines in, one row a line out: plain texts, or fastText's with their labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import Errors, read_lines
from nlp_transfer.errors import UserError

_LABELS = re.compile(r"(?:__label__\S+(?:[ \t]+|$))+")
_PREFIX = "__label__"


def read_texts(path: Path, *, encoding: str, errors: Errors = "strict") -> Iterator[RawRow]:
    """Read a text a line, empty ones too."""
    for number, line in enumerate(read_lines(path, encoding=encoding, errors=errors), start=1):
        yield RawRow(f"{path}:{number}", {"text": line.rstrip("\r\n")})


def read_fasttext(
    path: Path, *, encoding: str, errors: Errors = "strict", annotated: bool = True
) -> Iterator[RawRow]:
    """Read `__label__x __label__y text` as {text, label}: a name, or a list of several.

    annotated: False takes a line without a label too
    raises:    UserError for a line without a label
    """
    for number, line in enumerate(read_lines(path, encoding=encoding, errors=errors), start=1):
        where, text = f"{path}:{number}", line.strip()
        if not text:
            continue
        found = _LABELS.match(text)
        if found is None and annotated:
            raise UserError(f"{where}: {text[:40]!r} has no __label__ before its text. Add it.")
        labels = [label.removeprefix(_PREFIX) for label in found[0].split()] if found else []
        label = labels[0] if len(labels) == 1 else labels or None
        yield RawRow(where, {"text": text[found.end() :] if found else text, "label": label})
