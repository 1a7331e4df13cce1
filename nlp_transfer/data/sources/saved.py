"""A folder of `Dataset.save_to_disk` in, its splits out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from nlp_transfer.data.formats.base import ROW_KEYS
from nlp_transfer.data.raw import RawSplit
from nlp_transfer.data.sources.hub import named_splits
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

_SAVED = ("dataset_dict.json", "state.json")


def is_saved(folder: Path) -> bool:
    """Tell a folder that `Dataset.save_to_disk` or `DatasetDict.save_to_disk` has written."""
    return any((folder / name).is_file() for name in _SAVED)


def open_saved(folder: Path, data: DataSection) -> Iterator[RawSplit]:
    """Open what `save_to_disk` has written; one that is no dictionary is the train split."""
    import datasets

    try:
        found = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder}: this saved data set does not load: {error}") from None
    theirs = dict(found) if isinstance(found, Mapping) else {"train": found}
    yield from named_splits(theirs, data, str(folder), "saved data set", ROW_KEYS)
