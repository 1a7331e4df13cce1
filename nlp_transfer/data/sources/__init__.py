"""Where examples come from: a data source in, raw rows of each of its splits out.

A raw row is what the file says, before any task looks at it.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from nlp_transfer.data.formats.base import ROW_KEYS
from nlp_transfer.data.keys import OF_TASKS, check_keys, fitted
from nlp_transfer.data.raw import RawSplit
from nlp_transfer.data.samples import sample_folder
from nlp_transfer.data.sources import hub, module
from nlp_transfer.data.sources.local import open_file, open_folder
from nlp_transfer.data.sources.saved import is_saved, open_saved
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


def open_source(
    data: DataSection, uses: Collection[str] = OF_TASKS
) -> tuple[DataSection, Sequence[RawSplit]]:
    """Find the splits of `data.source`, and look into its files; no row is read yet.

    uses:    keys of the data section that the task uses, of OF_TASKS
    returns: the section without what lapses, and each split that the source has
    raises:  UserError when nothing is found, naming what was looked for, and for a key that is
             not used
    """
    try:
        splits = list(_open(data))
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise UserError(
            "data.source, data.splits: there is no such file; a name is too long for one."
        ) from None
    used = frozenset[str]().union(*(split.keys for split in splits))
    what = next((f"{split.place} ({split.kind})" for split in splits), data.source)
    check_keys(data, used, what, uses=uses, found=[split.name for split in splits])
    return fitted(data, splits)


def check_source(data: DataSection, uses: Collection[str]) -> None:
    """Refuse what `open_source` would, where it can be told from files: nothing is downloaded.

    No code of the user's is run.
    """
    if data.source.startswith("samples/") or exists(local_path(data.source)):
        open_source(data, uses)
        return
    is_module = is_module_reference(data.source)
    kind, keys = (module.KIND, ROW_KEYS) if is_module else (hub.KIND, hub.KEYS)
    check_keys(data, keys, f"{data.source} ({kind})", uses=uses)


def _open(data: DataSection) -> Iterator[RawSplit]:
    if data.source.startswith("samples/"):
        return open_folder(sample_folder(data.source), data)
    path = _from_here(local_path(data.source))
    if is_folder(path):
        return open_saved(path, data) if is_saved(path) else open_folder(path, data)
    if is_file(path):
        return open_file(path, data)
    if is_module_reference(data.source):
        return module.open_splits(data)
    if looks_like_path(data.source):
        raise UserError(f"data.source: {no_such_path(data.source)}")
    return hub.open_splits(data)


def _from_here(path: Path) -> Path:
    """Write a path below the working folder as people do, for messages: train.csv:4."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
