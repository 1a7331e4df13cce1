"""A name that a user wrote in, the file or folder that it means out; what is no path is left alone.

A relative path is looked for in the working folder, then beside the recipe. What looks like a path
is never taken for a Hub id.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PureWindowsPath
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from nlp_transfer.errors import nearest
from nlp_transfer.recipe.shipped import shipped_recipes

_HUB_ID = re.compile(r"(?!.*(--|\.\.))([A-Za-z0-9][\w.-]{0,95}/)?\w[\w.-]{0,95}", re.ASCII)
_SUFFIXES = {
    ".conll", ".conllu", ".iob", ".iob2", ".bio", ".jsonl", ".json", ".ndjson", ".csv", ".tsv",
    ".parquet", ".arrow", ".spacy", ".ann", ".txt", ".text", ".xml", ".html", ".xls", ".xlsx",
    ".gz", ".zip", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".7z", ".yaml", ".yml", ".py",
    ".bin", ".pt", ".pth", ".ckpt", ".safetensors", ".onnx",
}  # fmt: skip
_MODULE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_HUB_PAGE = re.compile(r"https://(?:huggingface\.co|hf\.co)/(?:datasets/)?([\w.-]+(?:/[\w.-]+)?)/?")
_EMBEDDED = "samples/"
_RUNS = "runs"
"""The folder that runs go to by default: what is said to be in it is no Hub id."""
_MOST_NAMES = 2000


@dataclass(frozen=True)
class Surroundings:
    """Where the paths of a recipe are looked for; the validation context of a recipe."""

    folders: tuple[Path, ...]
    """For relative paths, the first that has them; the working folder first."""
    moved: tuple[Path, Path] | None = None
    """A run's folder when it was trained, and where it is now: its data may have moved along."""
    must_exist: bool = False
    """Refuse a path that leads nowhere."""

    def find(self, name: str) -> Path | None:
        """Find the file or folder that a name stands for."""
        return next((path for path in self._candidates(name) if exists(path)), None)

    def _candidates(self, name: str) -> Iterator[Path]:
        path = local_path(name)
        if self.moved and path.is_absolute():
            before, now = self.moved
            yield _tidy(now / os.path.relpath(path, before))
        for folder in self.folders:
            yield _tidy(folder / path)


def local_path(name: str) -> Path:
    """Read a name as a path; ~ is the home folder, and ~nobody a name like others."""
    return Path(os.path.expanduser(name))  # noqa: PTH111 - Path.expanduser raises for ~nobody


def is_module_reference(source: str) -> bool:
    """Tell `package.module:function` from a path or a Hub id."""
    return bool(_MODULE.fullmatch(source))


def looks_like_path(name: str) -> bool:
    """Tell what can only be meant as a path from what may be a Hub id."""
    first, slash, _ = name.partition("/")
    return (
        not _HUB_ID.fullmatch(name)
        or Path(name).suffix.lower() in _SUFFIXES
        or (bool(slash) and (first == _RUNS or is_folder(Path(first))))
    )


def no_such_path(name: str, folders: Sequence[Path] = (), *, what: str = "file or folder") -> str:
    """Say that a path leads nowhere, and which names there are that look like it."""
    folders = folders or (Path.cwd(),)
    is_absolute = local_path(name).is_absolute()
    where = "" if is_absolute else f" in {' or '.join(str(folder) for folder in folders)}"
    hint = nearest_path(name, folders)
    if os.name != "nt" and (PureWindowsPath(name).drive or "\\" in name):
        hint = (
            f" It is written as on Windows; here / separates folders and no drive is named.{hint}"
        )
    first, _, rest = name.partition("/")
    if re.match("[a-z][a-z0-9+.-]*://", name):
        page = _HUB_PAGE.fullmatch(name)
        hint = " Download it, and name the file or folder."
        hint = f" On the Hub it is called {page[1]!r}." if page else hint
    if not hint and first == _RUNS and rest in shipped_recipes():
        hint = f" Train it with `nlpt finetune --recipe {rest}`."
    shown = name if len(name) <= 200 else f"{name[:200]}..."
    return f"there is no {what} '{shown}'{where}.{hint}"  # repr would double backslashes


def nearest_path(name: str, folders: Sequence[Path] = ()) -> str:
    """Return " Did you mean ...?" for the paths that are most like one that leads nowhere."""
    given, name = name, name.replace("\\", "/")
    for folder in folders or (Path.cwd(),):
        wanted = folder / local_path(name)
        if exists(wanted):
            return f" Did you mean {name!r}?" if name != given else ""
        there = next((parent for parent in wanted.parents if is_folder(parent)), None)
        if there is None:
            continue
        missing, *rest = wanted.relative_to(there).parts
        known = {path.name: there / path.name for path in islice(_entries(there), _MOST_NAMES)}
        whole = {entry: path.joinpath(*rest) for entry, path in known.items()}
        shown = {entry: _shown(path, folder, name) for entry, path in whole.items() if exists(path)}
        shown = shown or {entry: _shown(path, folder, name) for entry, path in known.items()}
        if hint := nearest(missing, shown, shown=shown):
            return hint
    return ""


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:
        return


def _shown(path: Path, folder: Path, name: str) -> str:
    """Write a path as the user wrote the other: absolute or relative."""
    if local_path(name).is_absolute() or not path.is_relative_to(folder):
        return str(path)
    return path.relative_to(folder).as_posix()


def is_hub_id(name: str) -> bool:
    """Tell a name that means something of the Hub, if anything."""
    is_here = name.startswith(_EMBEDDED) or exists(local_path(name)) or looks_like_path(name)
    return not is_here and not is_module_reference(name)


def exists(path: Path) -> bool:
    """Tell whether a path leads anywhere; one too long for the file system leads nowhere."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Tell whether a path leads to a file."""
    return exists(path) and path.is_file()


def is_folder(path: Path) -> bool:
    """Tell whether a path leads to a folder."""
    return exists(path) and path.is_dir()


def _tidy(path: Path) -> Path:
    """Make a path absolute without . and .., keeping links: they are part of the user's names."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def _located(name: str, info: ValidationInfo, *, what: str, hub: bool = True) -> str:
    surroundings = info.context
    if not isinstance(surroundings, Surroundings) or (hub and name.startswith(_EMBEDDED)):
        return name
    if found := surroundings.find(name):
        return str(found)
    if hub and (is_module_reference(name) or not looks_like_path(name)):
        return name
    if surroundings.must_exist:
        raise ValueError(no_such_path(name, surroundings.folders, what=what))
    return name


_Name = Annotated[str, Field(min_length=1)]
# Paths become absolute when a recipe is read; Hub ids and the like stay as they are.
Source = Annotated[_Name, AfterValidator(partial(_located, what="file or folder"))]
"""Where data comes from."""
Checkpoint = Annotated[_Name, AfterValidator(partial(_located, what="model folder"))]
"""A model: Hub id, model folder or run folder."""
File = Annotated[_Name, AfterValidator(partial(_located, what="file", hub=False))]
"""A file of the user's."""
