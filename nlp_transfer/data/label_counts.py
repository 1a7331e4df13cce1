"""Rows of a split in, how often they bear each entity type or class out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from nlp_transfer.data.tables import batches
from nlp_transfer.records import Splits

if TYPE_CHECKING:
    from datasets import Dataset


def label_counts(rows: Dataset) -> Counter[str]:
    """Count the entities of each type, lost ones too, or the texts of each class."""
    counts: Counter[str] = Counter()
    if "tags" not in rows.column_names:
        for batch in batches(rows, ["labels"]):
            counts.update(name for labels in batch["labels"] for name in labels or ())
        return counts
    for batch in batches(rows, ["tags", "lost"]):
        counts.update(tag[2:] for tags in batch["tags"] for tag in tags if tag.startswith("B-"))
        counts.update(name for lost in batch["lost"] for name in lost or ())
    return counts


def unseen_labels(splits: Splits, split: str) -> int:
    """Count the gold labels of a split that train does not have; none where there is no train."""
    if "train" not in splits:
        return 0
    train = label_counts(splits["train"])
    return sum(count for name, count in label_counts(splits[split]).items() if name not in train)
