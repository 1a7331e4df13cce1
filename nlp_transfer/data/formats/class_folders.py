"""Folders that are named after classes, a text a file, in; one row a text out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import Errors, read_text
from nlp_transfer.errors import UserError


def is_class_folders(folder: Path) -> bool:
    """Tell a folder of two or more folders that hold .txt files, or files without extension."""
    return len(_folders(folder)) > 1 and all(map(_texts, _folders(folder)))


def read(folder: Path, *, encoding: str, errors: Errors = "strict") -> Iterator[RawRow]:
    """Read {text, label, id} of every text, folder by folder, by name.

    raises: UserError for files beside the folders, whose class nothing says
    """
    others = [entry.name for entry in _entries(folder) if not entry.is_dir()]
    if others:
        raise UserError(
            f"{folder}: its folders are read as classes; these files are in none: "
            f"{', '.join(others[:5])}. Move them away."
        )
    for of_class in _folders(folder):
        for file in _texts(of_class):
            text = read_text(file, encoding=encoding, errors=errors).rstrip("\n")
            name = f"{of_class.name}/{file.name}"
            yield RawRow(str(file), {"text": text, "label": of_class.name, "id": name})


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in _entries(folder) if entry.is_dir()]


def _texts(folder: Path) -> list[Path]:
    """List the files of a class; none where one of them is no plain text by its name."""
    files = _entries(folder)
    named_so = all(file.is_file() and file.suffix in (".txt", "") for file in files)
    return files if named_so else []


def _entries(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "_")))
