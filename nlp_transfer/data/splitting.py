"""Rows without their own validation or test split in, held-out rows out, by a seed."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)


class TooFewError(UserError):
    """There is nothing to hold out."""


def hold_out(
    rows: Dataset, share: float, *, seed: int, split: str, classes: list[str]
) -> tuple[Dataset, Dataset]:
    """Split off a share of the rows.

    Whole documents stay together where rows have documents; else classes keep their proportions.

    A class of a single row stays in the remaining rows, where it can be learned.

    classes: of each row; empty where rows have none
    returns: the remaining rows and the held-out rows, both in their first order
    raises:  TooFewError for a single row
    """
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    indexes = list(range(len(rows)))
    documents = rows["document"]
    if len(indexes) < 2:
        raise TooFewError(
            f"The data has {len(indexes)} example(s): too few to split off a {split} split. Give "
            f"one with data.splits.{split}=FILE."
        )
    if len(set(documents)) > 1 and None not in documents:
        splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
        kept, held = next(splitter.split(indexes, groups=documents))
    else:
        alone = _alone(classes)
        if alone:
            log.warning("%s: %d class(es) of one example stay in train", split, len(alone))
        indexes = [index for index in indexes if index not in alone]
        kept, held = train_test_split(
            indexes, test_size=share, random_state=seed, stratify=_strata(classes, indexes, share)
        )
        kept = [*kept, *alone]
    return rows.select(sorted(kept)), rows.select(sorted(held))


def _alone(classes: list[str]) -> set[int]:
    """Find the rows that are the only one of their class, unless they are many."""
    counts = Counter(classes)
    alone = {index for index, name in enumerate(classes) if counts[name] == 1}
    return alone if len(alone) <= len(classes) / 2 else set()


def _strata(classes: list[str], indexes: list[int], share: float) -> list[str] | None:
    """Return one class a row, or None where the classes are too many to be kept in proportion."""
    chosen = [classes[index] for index in indexes] if classes else []
    counts = Counter(chosen)
    enough = bool(chosen) and min(counts.values()) >= 2
    fits = len(counts) <= min(share, 1 - share) * len(chosen)
    return chosen if enough and fits else None
