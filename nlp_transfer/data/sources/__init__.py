"""Where examples come from: a data source in, raw rows of each of its splits out.

A raw row is what the file says, before any task looks at it. Each format is one module with one
`read` function; this module finds the files, `formats` tells and opens their format.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nlp_transfer.data.formats import arrow, brat, class_folders, jsonl
from nlp_transfer.data.formats.detection import detect_format, label_names, reader
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.samples import sample_folder
from nlp_transfer.data.sources import hub, module
from nlp_transfer.data.sources.choosing import SPLIT_WORDS, chosen_splits
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.recipe.paths import (
    exists,
    is_file,
    is_folder,
    is_module_reference,
    local_path,
    looks_like_path,
    no_such_path,
)
from nlp_transfer.records import SPLIT_NAMES

# Extensions of what lies beside data.
NOT_DATA = {".md", ".py", ".yaml", ".yml", ".toml", ".html", ".pdf", ".lock"}
_SHARD = re.compile(r"(-\d+-of-\d+|^part-.*)")  # train-00000-of-00002.parquet, part-00000.csv


@dataclass(frozen=True)
class RawSplit:
    """The rows of one split of a source, not yet read."""

    name: str
    read: Callable[[], Iterator[RawRow]]
    label_names: tuple[str, ...] | None = None
    """Names of integer labels or tags, where the source declares them."""
    place: str = ""
    """Where the split lies, for people."""


def open_source(data: DataSection) -> list[RawSplit]:
    """Find the splits of `data.source`.

    returns: one RawSplit for each split that the source has
    raises:  UserError when nothing is found, naming what was looked for
    """
    try:
        return _open(data)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise UserError(
            "data.source, data.splits: there is no such file; a name is too long for one."
        ) from None


def _open(data: DataSection) -> list[RawSplit]:
    if data.source.startswith("samples/"):
        return _from_folder(sample_folder(data.source), data)
    path = _from_here(local_path(data.source))
    if is_folder(path):
        return _from_folder(path, data)
    if is_file(path):
        return _from_file(path, data)
    if is_module_reference(data.source):
        return [RawSplit(name, read, place=data.source) for name, read in module.open_splits(data)]
    if looks_like_path(data.source):
        raise UserError(f"data.source: {no_such_path(data.source)}")
    return [RawSplit(*found, place=data.source) for found in hub.open_splits(data)]


def _from_here(path: Path) -> Path:
    """Write a path below the working folder as people do, for messages: train.csv:4."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _from_file(path: Path, data: DataSection) -> list[RawSplit]:
    """Open one file: the train split, unless it is a JSON document of several splits."""
    if detect_format(path, data) in ("jsonl", "json"):
        lists = jsonl.split_lists(path, encoding=data.encoding, errors=data.encoding_errors)
        if lists:
            return [
                _joined(split, [jsonl.rows_of(lists[name], f"{path}: {name}") for name in names])
                for split, names in chosen_splits(data, list(lists), str(path))
            ]
    return _from_named_files({"train": [path], **_given_files(path.parent, data)}, data)


def _joined(split: str, parts: list[Iterator[RawRow]]) -> RawSplit:
    return RawSplit(split, lambda: (row for part in parts for row in part), place=split)


def _given_files(folder: Path, data: DataSection) -> dict[str, list[Path]]:
    """Resolve the file names that the recipe gives for its splits."""
    return {
        split: _given(folder, split, name)
        for split, name in data.splits.items()
        if name is not None
    }


def _given(folder: Path, split: str, name: str) -> list[Path]:
    """Find a file by its name, or several joined by +."""
    paths = []
    for part in [name] if exists(folder / name) or exists(Path(name)) else name.split("+"):
        candidates = (folder / part.strip(), local_path(part.strip()))
        found = next((path for path in candidates if exists(path)), None)
        if found is None:
            raise UserError(
                f"data.splits.{split}: {no_such_path(part.strip(), (folder,), what='file')} "
                f"Found there: {_listing(folder)}."
            )
        paths.extend(_expanded([found]))
    return paths


def _from_folder(folder: Path, data: DataSection) -> list[RawSplit]:
    if arrow.is_saved(folder):
        return _from_saved(folder, data)
    if not data.splits and (brat.is_folder(folder) or _is_of_classes(folder)):
        return _from_named_files({"train": [folder]}, data)
    chosen: dict[str, list[Path]] = {}
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))
    for split in SPLIT_NAMES:
        if split in data.splits:
            if data.splits[split] is not None:
                chosen[split] = _find_given(folder, entries, split, str(data.splits[split]))
            continue
        found = [path for path in entries if _is_of_split(path, split)]
        if len(found) > 1 and not all(_SHARD.search(path.name) for path in found):
            names = ", ".join(path.name for path in found)
            raise UserError(
                f"{folder}: {names} could all be the {split} split. Choose one with "
                f"data.splits.{split}=FILE."
            )
        if found:
            chosen[split] = _expanded(found)
    if not chosen:
        raise UserError(
            f"{folder}: no file is named after a split (train, validation/valid/dev, test). "
            f"Found: {_listing(folder)}. Name them with data.splits.train=FILE."
        )
    return _from_named_files(chosen, data)


def _from_saved(folder: Path, data: DataSection) -> list[RawSplit]:
    theirs = arrow.load_saved(folder)
    return [
        RawSplit(split, read, names, str(folder))
        for split, read, names in hub.named_splits(theirs, data, str(folder))
    ]


def _expanded(paths: list[Path]) -> list[Path]:
    """Replace a folder of part files by its files."""
    return [
        file
        for path in paths
        for file in ([path] if path.is_file() or _is_one(path) else _files_in(path))
    ]


def _is_one(folder: Path) -> bool:
    """Tell a folder that one reader takes whole."""
    return brat.is_folder(folder) or class_folders.is_class_folders(folder)


def _is_of_classes(folder: Path) -> bool:
    """Tell class folders, none of which is named after a split."""
    named = any(_is_of_split(path, split) for path in folder.iterdir() for split in SPLIT_NAMES)
    return not named and class_folders.is_class_folders(folder)


def _files_in(folder: Path) -> list[Path]:
    files = sorted(
        path for path in folder.iterdir() if path.is_file() and not path.name.startswith((".", "_"))
    )
    if not files:
        raise UserError(f"{folder}: this folder holds no file.")
    return files


def _find_given(folder: Path, entries: list[Path], split: str, name: str) -> list[Path]:
    if exists(folder / name) or "+" in name:
        return _given(folder, split, name)
    by_stem = [path for path in entries if path.stem == name or path.name.split(".")[0] == name]
    if len(by_stem) == 1:
        return _expanded(by_stem)
    # A recipe for the Hub says "validation"; the same data in a folder may be called dev.
    by_word = [path for path in entries if _is_of_split(path, split)]
    if name in SPLIT_WORDS[split] and len(by_word) == 1:
        return _expanded(by_word)
    return _given(folder, split, name)


def _is_of_split(path: Path, split: str) -> bool:
    if path.suffix.lower() in NOT_DATA:
        return False
    words = re.findall(r"[a-z]+", path.name.lower())  # wnut17train.conll, eng.testa, dev-v2.json
    return any(word in SPLIT_WORDS[split] for word in words)


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return (", ".join(names[:12]) + (", ..." if len(names) > 12 else "")) or "nothing"


def _from_named_files(paths: dict[str, list[Path]], data: DataSection) -> list[RawSplit]:
    return [_of_files(split, paths[split], data) for split in SPLIT_NAMES if split in paths]


def _of_files(split: str, paths: list[Path], data: DataSection) -> RawSplit:
    readers = [reader(path, data) for path in paths]
    return RawSplit(
        split,
        lambda: (row for read in readers for row in read()),
        label_names(paths[0], data),
        ", ".join(map(str, paths[:3])) + (", ..." if len(paths) > 3 else ""),
    )
