"""A folder of brat's .txt and .ann pairs in, one row a document out."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from nlp_transfer.data.offsets import is_same
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import Errors, open_binary, read_lines
from nlp_transfer.errors import UserError

_ENTITY = re.compile(
    r"T\S+\t(?P<type>\S+) (?P<places>\d{1,9} \d{1,9}(?:;\d{1,9} \d{1,9})*)(?:\t(?P<text>.*))?"
)
_OTHERS = "REAMN*#"
"""Relations, events, attributes, normalisations, equivalences, notes: no entities."""


def is_folder(path: Path) -> bool:
    """Tell a folder that holds brat annotations."""
    return path.is_dir() and any(path.glob("*.ann"))


def read(
    path: Path,
    *,
    encoding: str,
    errors: Errors = "strict",
    in_pieces: bool = False,
    annotated: bool = True,
) -> Iterator[RawRow]:
    """Read the documents of a folder by name, or the one that a .txt or .ann file is half of.

    in_pieces: read an entity in several pieces too: from its first to its last character, and
               the pieces
    annotated: False reads the texts alone, without their .ann files
    raises:    UserError for half a pair, or an entity that is not where its line says
    """
    for text_file in _text_files(path, annotated=annotated):
        text = _text(text_file, encoding, errors)
        values: dict[str, Any] = {"text": text, "id": text_file.stem, "document": text_file.stem}
        if annotated:
            notes = text_file.with_suffix(".ann")
            values["spans"] = list(_spans(notes, text, encoding, errors, in_pieces=in_pieces))
        yield RawRow(str(text_file), values)


def _text_files(path: Path, *, annotated: bool) -> list[Path]:
    found = path.iterdir() if path.is_dir() else [path]
    stems = {file.with_suffix("") for file in found if file.suffix in (".txt", ".ann")}
    if not stems:
        raise UserError(f"{path}: there is no .txt and .ann pair.")
    for stem in sorted(stems):
        text, notes = (stem.with_name(stem.name + suffix) for suffix in (".txt", ".ann"))
        if not text.is_file():
            raise UserError(f"{notes}: its text {text.name} is missing. Put it beside the .ann.")
        if annotated and not notes.is_file():
            raise UserError(
                f"{text}: its annotations {notes.name} are missing. Move the text away, or create "
                "an empty .ann if it has no entities."
            )
    return [stem.with_name(f"{stem.name}.txt") for stem in sorted(stems)]


def _text(path: Path, encoding: str, errors: Errors) -> str:
    """Read a text with all that brat's offsets count: line ends, and a byte order mark."""
    text = "".join(read_lines(path, encoding=encoding, errors=errors, newline=""))
    if codecs.lookup(encoding).name != "utf-8":
        return text
    with open_binary(path) as stream:
        marked = stream.read(3) == codecs.BOM_UTF8
    return f"\ufeff{text}" if marked else text


def _spans(
    path: Path, text: str, encoding: str, errors: Errors, *, in_pieces: bool
) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(read_lines(path, encoding=encoding, errors=errors), start=1):
        where = f"{path}:{number}"
        if not line.strip() or line[0] in _OTHERS:
            continue
        entity = _ENTITY.fullmatch(line.rstrip("\n"))
        if entity is None:
            raise UserError(
                f"{where}: {line.rstrip()!r} is no line of brat's; an entity is T1, a tab, "
                "TYPE START END, a tab and its text."
            )
        pieces = [(int(a), int(b)) for a, b in re.findall(r"(\d+) (\d+)", entity["places"])]
        _check(pieces, text, entity["text"], where)
        span = {"start": pieces[0][0], "end": pieces[-1][1], "label": entity["type"]}
        if _is_whole(pieces, text):
            yield span
        elif in_pieces:
            yield {**span, "pieces": pieces}
        else:
            raise UserError(
                f"{where}: the entity {entity['text']!r} is in {len(pieces)} pieces; words have "
                "one tag each and cannot hold it. Make it one piece, take all from its first to "
                "its last word with data.misaligned=expand, or leave such entities out (and count "
                "them as missed) with data.misaligned=drop."
            )


def _check(pieces: list[tuple[int, int]], text: str, given: str | None, where: str) -> None:
    """Refuse an entity that is not in the text, or not what its line says."""
    after = 0
    for start, end in pieces:
        if not after <= start < end <= len(text):
            raise UserError(
                f"{where}: {start} {end} is no place in a {len(text)}-character text, or pieces "
                "are out of order."
            )
        after = end
    covered = " ".join(text[start:end] for start, end in pieces)
    if not is_same(given, covered):
        raise UserError(
            f"{where}: {given!r} should be at {pieces[0][0]}-{pieces[-1][1]}, but the text has "
            f"{covered!r} there. Offsets count code points, line ends as they are in the file."
        )


def _is_whole(pieces: list[tuple[int, int]], text: str) -> bool:
    """Tell whether pieces touch but for white space: brat ends a piece at each line break."""
    gaps = (text[left[1] : right[0]] for left, right in pairwise(pieces))
    return not any(gap.strip() for gap in gaps)
