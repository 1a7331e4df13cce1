"""Folders that are named after classes, a text a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nlp_transfer.data.formats.base import TEXT_KEYS, Format, Look
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import DataFile, read_text
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection


def is_class_folders(folder: Path) -> bool:
    """Tell a folder of two or more folders that hold .txt files, or files without extension."""
    return len(_folders(folder)) > 1 and all(map(_texts, _folders(folder)))


def _read(file: DataFile, data: DataSection, *, annotated: bool) -> Iterator[RawRow]:
    """Read {text, label, id} of every text, folder by folder, by name.

    raises: UserError for files beside the folders, whose class nothing says
    """
    folder = file.path
    others = [entry.name for entry in _entries(folder) if not entry.is_dir()]
    if others:
        raise UserError(
            f"{folder}: its folders are read as classes; these files are in none: "
            f"{', '.join(others[:5])}. Move them away."
        )
    for of_class in _folders(folder):
        for path in _texts(of_class):
            text = read_text(path, encoding=data.encoding, errors=data.encoding_errors)
            values = {"text": text.rstrip("\n"), "label": of_class.name}
            yield RawRow(str(path), {**values, "id": f"{of_class.name}/{path.name}"})


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in _entries(folder) if entry.is_dir()]


def _texts(folder: Path) -> list[Path]:
    """List the files of a class; none where one of them is no plain text by its name."""
    files = _entries(folder)
    named_so = all(file.is_file() and file.suffix in (".txt", "") for file in files)
    return files if named_so else []


def _entries(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "_")))


def _recognises(look: Look) -> bool:
    return look.folder is not None and is_class_folders(look.folder)


CLASS_FOLDERS = Format(
    name="class-folders", recognises=_recognises, keys=TEXT_KEYS | {"drop_missing"}, read=_read
)
