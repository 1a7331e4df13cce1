"""Rows without their own validation or test split in, held-out rows out, by a seed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset


def hold_out(rows: Dataset, share: float, *, seed: int, split: str) -> tuple[Dataset, Dataset]:
    """Split off a share of the rows.

    Whole documents stay together where rows have documents; classes keep their proportions where
    rows have single labels.

    returns: the remaining rows and the held-out rows, both in their first order
    """
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    indexes = list(range(len(rows)))
    documents = rows["document"]
    if len(indexes) < 2:
        raise UserError(
            f"The data has {len(indexes)} example(s): too few to split off a {split} split. Give "
            f"one with data.splits.{split}=FILE."
        )
    if len(set(documents)) > 1 and None not in documents:
        splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
        kept, held = next(splitter.split(indexes, groups=documents))
    else:
        kept, held = train_test_split(
            indexes, test_size=share, random_state=seed, stratify=_strata(rows, share)
        )
    return rows.select(sorted(kept)), rows.select(sorted(held))


def _strata(rows: Dataset, share: float) -> list[str] | None:
    """Return one class a row, or None where the classes are too small to be kept in proportion."""
    if "labels" not in rows.column_names:
        return None
    classes = ["|".join(labels or ()) for labels in rows["labels"]]
    counts = Counter(classes)
    enough = min(counts.values()) >= 2 and len(counts) <= min(share, 1 - share) * len(classes)
    return classes if enough else None
