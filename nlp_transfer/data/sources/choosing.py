"""The names of a source's own splits in, those that the recipe takes from it out."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nlp_transfer.errors import UserError, shortened
from nlp_transfer.recipe import DataSection
from nlp_transfer.recipe.paths import local_path
from nlp_transfer.records import SPLIT_NAMES

log = logging.getLogger(__name__)

# Names by which splits are known.
SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "devel", "development", "testa"),
    "test": ("test", "testing", "testb", "eval"),
}


def chosen_splits(
    data: DataSection, theirs: Sequence[str], where: str, *, all_or_told: bool = True
) -> Iterator[tuple[str, list[str]]]:
    """Map a source's splits to ours; `a+b` in the recipe joins two of theirs.

    all_or_told: where the recipe names no split, one that fits none of ours is an error
    raises:      UserError for a name that the source does not have
    """
    used: set[str] = set()
    for split in SPLIT_NAMES:
        names = _names(data, split, theirs)
        missing = [name for name in names if name not in theirs]
        if missing:
            raise UserError(
                f"data.splits.{split}: {where} has no split {missing[0]!r} ({shortened(theirs)})."
            )
        used.update(names)
        if names:
            yield split, names
    unused = [name for name in theirs if name not in used]
    if unused and not data.splits and all_or_told:
        raise UserError(
            f"{where} has splits that fit none of ours: {shortened(unused)}. Say which to use, for "
            f"example data.splits={{train: train+{unused[0]}, test: test}}"
        )
    if unused:
        log.warning("%s: not used: %s", where, shortened(unused))


def _names(data: DataSection, split: str, theirs: Sequence[str]) -> list[str]:
    if split in data.splits:
        given = data.splits[split]
        if given is None:
            return []
        return [given] if given in theirs else [name.strip() for name in given.split("+")]
    return next(([word] for word in SPLIT_WORDS[split] if word in theirs), [])


def data_of_files(sources: Sequence[str]) -> dict[str, Any]:
    """Write the data section that reads files named after their splits, a folder or a Hub id.

    raises: UserError when two files are for one split
    """
    if len(sources) == 1:  # whatever its name, one file alone is looked at as train
        return {"source": sources[0]}
    chosen: dict[str, str] = {}
    for name in sources:
        path = local_path(name)
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "no file"
            raise UserError(f"{name} is {kind}. Give several files, or one folder or Hub id alone.")
        split = split_of(path.name)
        if split in chosen:
            raise UserError(
                f"{chosen[split]} and {name} would both be the {split} split. Name them after "
                f"their splits, or say which is which: {sources[0]} data.splits.test=OTHER"
            )
        chosen[split] = str(path.resolve())
    # Of a folder, only the files that are named: null keeps the others out.
    folder = str(Path(next(iter(chosen.values()))).parent)
    return {"source": folder, "splits": {split: chosen.get(split) for split in SPLIT_NAMES}}


def split_of(name: str) -> str:
    """Tell which split a file is from the last split word in its name; without one, train."""
    for word in reversed(re.findall("[a-z]+", name.lower())):
        for split, words in SPLIT_WORDS.items():
            if word in words:
                return split
    return "train"
