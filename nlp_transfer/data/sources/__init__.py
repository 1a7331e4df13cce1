"""Where examples come from: a data source in, raw rows of each of its splits out.

A raw row is what the file says, before any task looks at it: a mapping of column names. Each
format is one module with one `read` function; this module finds the files and tells the format.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_transfer.data.samples import sample_folder
from nlp_transfer.data.sources import conll, delimited, hub, jsonl, module, parquet
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import SPLIT_NAMES

Row = dict[str, Any]

# File names by which a folder's splits are known: the stem, or a part of it between . _ and -
_SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "devel", "development", "testa"),
    "test": ("test", "testing", "testb", "eval"),
}
_EXTENSIONS = {
    ".conll": "conll", ".conllu": "conll", ".iob": "conll", ".iob2": "conll", ".bio": "conll",
    ".jsonl": "jsonl", ".json": "jsonl", ".ndjson": "jsonl",
    ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet",
}  # fmt: skip


@dataclass(frozen=True)
class RawSplit:
    """The rows of one split of a source, not yet read."""

    name: str
    read: Callable[[], Iterator[Row]]
    label_names: tuple[str, ...] | None = None
    """Names of integer labels or tags, where the source declares them."""


def open_source(data: DataSection) -> list[RawSplit]:
    """Find the splits of `data.source`.

    returns: one RawSplit for each split that the source has
    raises:  UserError when nothing is found, naming what was looked for
    """
    if data.source.startswith("samples/"):
        return _from_folder(sample_folder(data.source), data)
    path = Path(data.source).expanduser()
    if path.is_dir():
        return _from_folder(path, data)
    if path.is_file():
        return _from_named_files({"train": path, **_given_files(path.parent, data)}, data)
    if module.is_reference(data.source):
        return [RawSplit(name, read) for name, read in module.open_splits(data)]
    if path.suffix.lower() in {*_EXTENSIONS, ".txt", ".gz"} or data.source.startswith(
        (".", "/", "~")
    ):
        raise UserError(f"data.source: there is no file or folder {data.source!r}.")
    return [RawSplit(*found) for found in hub.open_splits(data)]


def _given_files(folder: Path, data: DataSection) -> dict[str, Path]:
    """Resolve the file names that the recipe gives for its splits."""
    given: dict[str, Path] = {}
    for split, name in data.splits.items():
        if name is None:
            continue
        candidates = [folder / name, Path(name)]
        found = next((path for path in candidates if path.is_file()), None)
        if found is None:
            raise UserError(
                f"data.splits.{split}: there is no file {name!r} in {folder}. "
                f"Found there: {_listing(folder)}."
            )
        given[split] = found
    return given


def _from_folder(folder: Path, data: DataSection) -> list[RawSplit]:
    chosen: dict[str, Path] = {}
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for split in SPLIT_NAMES:
        if split in data.splits:
            if data.splits[split] is not None:
                chosen[split] = _find_given(folder, files, split, str(data.splits[split]))
            continue
        found = [path for path in files if _is_split_file(path, split)]
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise UserError(
                f"{folder}: {names} could all be the {split} split. Choose one with "
                f"data.splits.{split}=FILE."
            )
        if found:
            chosen[split] = found[0]
    if "train" not in chosen and not chosen:
        raise UserError(
            f"{folder}: no file is named after a split (train, validation/valid/dev, test). "
            f"Found: {_listing(folder)}. Name them with data.splits.train=FILE."
        )
    return _from_named_files(chosen, data)


def _find_given(folder: Path, files: list[Path], split: str, name: str) -> Path:
    exact = folder / name
    if exact.is_file():
        return exact
    by_stem = [path for path in files if path.stem == name or path.name.split(".")[0] == name]
    if len(by_stem) == 1:
        return by_stem[0]
    # A recipe for the Hub says "validation"; the same data in a folder may be called dev.
    by_word = [path for path in files if _is_split_file(path, split)]
    if name in _SPLIT_WORDS[split] and len(by_word) == 1:
        return by_word[0]
    raise UserError(
        f"data.splits.{split}: there is no file {name!r} in {folder}. "
        f"Found there: {_listing(folder)}."
    )


def _is_split_file(path: Path, split: str) -> bool:
    if path.suffix.lower() in {".md", ".py", ".yaml", ".yml", ".toml", ".html"}:
        return False
    words = re.findall(r"[a-z]+", path.name.lower())  # wnut17train.conll, eng.testa, dev-v2.json
    return any(word in _SPLIT_WORDS[split] for word in words)


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return (", ".join(names[:12]) + (", ..." if len(names) > 12 else "")) or "nothing"


def _from_named_files(paths: dict[str, Path], data: DataSection) -> list[RawSplit]:
    return [RawSplit(split, _reader(paths[split], data)) for split in SPLIT_NAMES if split in paths]


def _reader(path: Path, data: DataSection) -> Callable[[], Iterator[Row]]:
    file_format = data.format if data.format != "auto" else detect_format(path)
    if file_format == "parquet":
        return lambda: parquet.read(path)
    if file_format == "jsonl":
        return lambda: jsonl.read(path, encoding=data.encoding)
    if file_format in ("csv", "tsv"):
        delimiter = "," if file_format == "csv" else "\t"
        return lambda: delimited.read(path, delimiter=delimiter, encoding=data.encoding)
    return lambda: conll.read(
        path,
        tokens=data.columns.get("tokens", "auto"),
        tags=data.columns.get("tags", "auto"),
        separator=data.separator,
        encoding=data.encoding,
    )


def detect_format(path: Path) -> str:
    """Look inside a file, then at its extension, and name its format."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            head = file.read(4096)
    except (OSError, EOFError) as error:
        raise UserError(f"{path}: this file cannot be read: {error}.") from None
    if head.startswith(b"PAR1"):
        return "parquet"
    extension = Path(path.stem).suffix.lower() if path.suffix == ".gz" else path.suffix.lower()
    text = head.decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")
    if re.match(r'(\[\s*)?\{\s*["}]', text):  # a bare { may be the first word of a CoNLL file
        return "jsonl"
    named = _EXTENSIONS.get(extension, "")
    if named in ("csv", "tsv") and not _looks_like_conll(text):
        return named
    if named in ("parquet", "jsonl"):
        return named  # not what it says it is: its own reader gives the clear error
    return "conll"


def _looks_like_conll(text: str) -> bool:
    """Tell CoNLL columns named .tsv from a table: blank lines, and O or B-/I- as the last field."""
    lines = text.splitlines()[:-1] or text.splitlines()
    fields = [line.split("\t") for line in lines if line.strip()]
    tags = sum(row[-1] == "O" or row[-1][:2] in ("B-", "I-", "S-", "E-") for row in fields)
    return bool(fields) and tags > len(fields) / 2
