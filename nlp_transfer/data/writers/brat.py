"""brat's standoff files: a .txt and an .ann for each item, in one folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from nlp_transfer.data.formats.results import (
    Entity,
    Result,
    check_characters,
    entities_of,
    origin,
    place,
    text_of,
)
from nlp_transfer.errors import UserError

_LONGEST_NAME = 50  # characters, of up to four bytes each; file systems allow 255 bytes


def write(results: Iterable[Result], folder: Path) -> None:
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
