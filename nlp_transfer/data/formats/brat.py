"""brat's standoff files: a .txt and an .ann for each document, in one folder."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from nlp_transfer.data.formats.base import TEXT_KEYS, Format, Writer
from nlp_transfer.data.formats.results import (
    Entity,
    Result,
    check_characters,
    entities_of,
    origin,
    place,
    text_of,
)
from nlp_transfer.data.offsets import is_same
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

_LONGEST_NAME = 50  # characters, of up to four bytes each; file systems allow 255 bytes

_ENTITY = re.compile(
    r"T\S+\t(?P<type>\S+) (?P<places>\d{1,9} \d{1,9}(?:;\d{1,9} \d{1,9})*)(?:\t(?P<text>.*))?"
)
_OTHERS = "REAMN*#"
"""Relations, events, attributes, normalisations, equivalences, notes: no entities."""


def is_brat(path: Path) -> bool:
    """Tell a folder that holds brat annotations."""
    return path.is_dir() and any(path.glob("*.ann"))


def _read(file: DataFile, data: DataSection, *, annotated: bool) -> Iterator[RawRow]:
    """Read the documents of a folder by name, or the one that a .txt or .ann file is half of.

    raises: UserError for half a pair, or an entity that is not where its line says
    """
    # An entity in several pieces reaches from its first to its last character.
    in_pieces = data.misaligned != "refuse"
    for text_file in _text_files(file.path, annotated=annotated):
        with _opened(text_file, file) as half:
            text = _text(half, data)
        values: dict[str, object] = {"text": text, "id": text_file.stem, "document": text_file.stem}
        if annotated:
            with _opened(text_file.with_suffix(".ann"), file) as half:
                values["spans"] = list(_spans(half, text, data, in_pieces=in_pieces))
        yield RawRow(str(text_file), values)


def _opened(path: Path, known: DataFile) -> DataFile:
    """Return the file of a path; it may be open already, having been looked at."""
    return known if known.path == path else DataFile(path)


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


def _text(file: DataFile, data: DataSection) -> str:
    """Read a text with all that brat's offsets count: line ends, and a byte order mark."""
    text = file.text(data.encoding, data.encoding_errors, newline="")
    if codecs.lookup(data.encoding).name != "utf-8":
        return text
    return f"\ufeff{text}" if file.begin().read(3) == codecs.BOM_UTF8 else text


def _spans(
    file: DataFile, text: str, data: DataSection, *, in_pieces: bool
) -> Iterator[dict[str, object]]:
    for number, line in enumerate(file.lines(data.encoding, data.encoding_errors), start=1):
        where = f"{file.path}:{number}"
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


def _write(results: Iterable[Result], folder: Path) -> None:
    """Write one pair of files an item, named after its id, its document or its number.

    raises: UserError for a type with a blank in its name, which brat's lines cannot hold
    """
    taken: set[str] = set()
    for number, result in enumerate(results, start=1):
        text, where = text_of(result), place(result, number)
        check_characters(text, "utf-8", where, "brat")
        lines = list(_lines(text, entities_of(result), where))
        name = _name(result, number, taken)
        taken.add(name.casefold())  # some file systems ignore case
        for suffix, content in ((".txt", text), (".ann", "".join(lines))):
            with (folder / f"{name}{suffix}").open("w", encoding="utf-8", newline="") as file:
                file.write(content)  # offsets count line ends, so they stay as they are


def _lines(text: str, entities: list[Entity], where: str) -> Iterator[str]:
    for number, (start, end, entity_type) in enumerate(entities, start=1):
        if not re.fullmatch(r"\S+", entity_type):
            raise UserError(
                f"{where}: brat's types have no blanks, {entity_type!r} has. Use --to spans."
            )
        # An .ann line cannot hold a line break: brat ends a piece there and begins another.
        pieces = [
            (start + piece.start(), start + piece.end())
            for piece in re.finditer(r"\S(?:[^\r\n]*\S)?", text[start:end])
        ]
        places = ";".join(f"{first} {after}" for first, after in pieces)
        shown = " ".join(text[first:after] for first, after in pieces)
        yield f"T{number}\t{entity_type} {places}\t{shown}\n"


def _name(result: Result, number: int, taken: set[str]) -> str:
    """Make a file name without special characters that no other item has."""
    given = next(iter(origin(result).values()), "")
    name = re.sub(r"[^\w.-]+", "_", str(given))[:_LONGEST_NAME].strip("._-")
    name = name or f"{number:06}"
    while name.casefold() in taken:
        name = f"{name}-{number:06}"
    return name


BRAT = Format(
    name="brat",
    recognises=lambda look: look.folder is not None,
    extensions=(".ann",),
    keys=TEXT_KEYS | {"misaligned", "overlapping"},  # its offsets count characters
    read=_read,
    writer=Writer(needs=(frozenset({"tokens", "entities"}),), to_folder=_write),
)
