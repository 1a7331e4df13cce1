"""fastText's lines: `__label__x __label__y text`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nlp_transfer.data.formats.base import TEXT_KEYS, Format, Look
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

_LABEL = re.compile(r"__label__\S")
_LABELS = re.compile(r"(?:__label__\S+(?:[ \t]+|$))+")
_PREFIX = "__label__"


def _recognises(look: Look) -> bool:
    filled = [line for line in look.lines if line.strip()]
    return bool(filled) and all(map(_LABEL.match, filled))


def _read(file: DataFile, data: DataSection, *, annotated: bool) -> Iterator[RawRow]:
    """Read {text, label}: a name, or a list of several.

    raises: UserError for a line without a label, where labels are wanted
    """
    for number, line in enumerate(file.lines(data.encoding, data.encoding_errors), start=1):
        where, text = f"{file.path}:{number}", line.strip()
        if not text:
            continue
        found = _LABELS.match(text)
        if found is None and annotated:
            raise UserError(f"{where}: {text[:40]!r} has no __label__ before its text. Add it.")
        labels = [label.removeprefix(_PREFIX) for label in found[0].split()] if found else []
        label = labels[0] if len(labels) == 1 else labels or None
        yield RawRow(where, {"text": text[found.end() :] if found else text, "label": label})


FASTTEXT = Format(
    name="fasttext", recognises=_recognises, keys=TEXT_KEYS | {"drop_missing"}, read=_read
)
