"""A file or folder in; the splits that are in it, each in its format, out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from nlp_transfer.data.columns import declared_names
from nlp_transfer.data.formats import format_of
from nlp_transfer.data.formats.base import Format
from nlp_transfer.data.formats.brat import is_brat
from nlp_transfer.data.formats.class_folders import is_class_folders
from nlp_transfer.data.keys import with_numbers
from nlp_transfer.data.raw import RawRow, RawSplit
from nlp_transfer.data.sources.choosing import SPLIT_WORDS, chosen_splits
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.recipe.data_section import say_lapsed
from nlp_transfer.recipe.paths import exists, local_path, no_such_path
from nlp_transfer.records import SPLIT_NAMES

# Extensions of what lies beside data.
NOT_DATA = {".md", ".py", ".yaml", ".yml", ".toml", ".html", ".pdf", ".lock"}
_SHARD = re.compile(r"(-\d+-of-\d+|^part-.*)")  # train-00000-of-00002.parquet, part-00000.csv
_KEPT_OPEN = 50
"""Files of a split that stay open until they are read; a process may have 256 of them."""


def open_file(path: Path, data: DataSection) -> Iterator[RawSplit]:
    """Open one file: the train split, unless it is a document of several splits.

    raises: UserError when a file that the recipe names is not there
    """
    file = DataFile(path)
    found = format_of(file, data)
    if parts := found.splits(file, data):
        file.close()
        for split, names in chosen_splits(data, list(parts), str(path)):
            rows = chain.from_iterable(parts[name] for name in names)
            yield RawSplit(
                name=split,
                read=partial(iter, rows),
                place=split,
                kind=found.name,
                keys=found.keys | {"format"},
            )
        return
    yield from _of_files({"train": [path], **_all_given(_given, path.parent, data)}, data, file)


def open_folder(folder: Path, data: DataSection) -> Iterator[RawSplit]:
    """Open the files or folders that are named after splits, by us or by the recipe.

    raises: UserError where there is none, or more than one for a split
    """
    if not data.splits and (is_brat(folder) or _is_of_classes(folder)):
        yield from _of_files({"train": [folder]}, data)
        return
    chosen = _all_given(_find_given, folder, data)
    for split in SPLIT_NAMES:
        if split in chosen or data.splits.get(split, "") is None:
            continue
        found = [path for path in visible(folder) if _is_of_split(path, split)]
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
    yield from _of_files(chosen, data)


def visible(folder: Path) -> list[Path]:
    """List what is in a folder by name, without what is hidden or set aside."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))


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


def _all_given(
    find: Callable[[Path, str, str], list[Path]], folder: Path, data: DataSection
) -> dict[str, list[Path]]:
    """Find what the recipe names; names that it has for its own data lapse where they fail."""
    found: dict[str, list[Path]] = {}
    lapsed = []
    for split, name in data.splits.items():
        try:
            found |= {} if name is None else {split: find(folder, split, name)}
        except UserError:
            if f"splits.{split}" not in data.lapsing:
                raise
            lapsed.append(f"splits.{split}={name}")
    say_lapsed(lapsed, f"not in {folder}")
    return found


def _find_given(folder: Path, split: str, name: str) -> list[Path]:
    if exists(folder / name) or "+" in name:
        return _given(folder, split, name)
    entries = visible(folder)
    by_stem = [path for path in entries if path.stem == name or path.name.split(".")[0] == name]
    if len(by_stem) == 1:
        return _expanded(by_stem)
    # A recipe for the Hub says "validation"; the same data in a folder may be called dev.
    by_word = [path for path in entries if _is_of_split(path, split)]
    if name in SPLIT_WORDS[split] and len(by_word) == 1:
        return _expanded(by_word)
    return _given(folder, split, name)


def _expanded(paths: Sequence[Path]) -> list[Path]:
    """Replace a folder of part files by its files."""
    return [
        file
        for path in paths
        for file in (
            [path] if path.is_file() or is_brat(path) or is_class_folders(path) else _parts(path)
        )
    ]


def _parts(folder: Path) -> list[Path]:
    files = [path for path in visible(folder) if path.is_file()]
    if not files:
        raise UserError(f"{folder}: this folder holds no file.")
    return files


def _is_of_classes(folder: Path) -> bool:
    """Tell class folders, none of which is named after a split."""
    named = any(_is_of_split(path, split) for path in folder.iterdir() for split in SPLIT_NAMES)
    return not named and is_class_folders(folder)


def _is_of_split(path: Path, split: str) -> bool:
    if path.suffix.lower() in NOT_DATA:
        return False
    words = re.findall(r"[a-z]+", path.name.lower())  # wnut17train.conll, eng.testa, dev-v2.json
    return any(word in SPLIT_WORDS[split] for word in words)


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return (", ".join(names[:12]) + (", ..." if len(names) > 12 else "")) or "nothing"


def _of_files(
    paths: Mapping[str, Sequence[Path]], data: DataSection, known: DataFile | None = None
) -> Iterator[RawSplit]:
    """Look into the files of each split.

    known: one of them that is open already
    """
    for split in SPLIT_NAMES:
        if split not in paths:
            continue
        opened: list[tuple[DataFile, Format]] = []
        for path in paths[split]:
            file = known if known and known.path == path else DataFile(path)
            opened.append((file, format_of(file, data)))
            if len(opened) > _KEPT_OPEN:
                file.close()  # it is opened once more when its turn comes
        first, found = opened[0]
        shown = ", ".join(str(path) for path in paths[split][:3])
        yield RawSplit(
            name=split,
            read=partial(_rows, opened, data),
            label_names=declared_names(data, found.label_names(first)),
            place=shown + (", ..." if len(opened) > 3 else ""),
            kind=found.name,
            keys=frozenset({"format"}).union(*(each.keys for _, each in opened)),
        )


def _rows(opened: Sequence[tuple[DataFile, Format]], data: DataSection) -> Iterator[RawRow]:
    for file, found in opened:
        assert found.read is not None
        with file:
            yield from found.read(file, with_numbers(data, found), annotated=True)
