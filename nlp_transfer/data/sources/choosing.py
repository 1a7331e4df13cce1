"""The names of a source's own splits in, those that the recipe takes from it out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from nlp_transfer.errors import UserError, shortened
from nlp_transfer.recipe import DataSection
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
