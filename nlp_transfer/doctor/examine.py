"""Splits in, findings out. Each check is a pure function from splits to findings.

A check goes through the rows in batches and keeps counts, hashes and a few places, never texts,
so that its memory does not grow with their length. What only the rows of one task can have wrong,
its own checks find.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nlp_transfer.doctor.duplicates import conflicting_labels, duplicates, leakage
from nlp_transfer.doctor.finding import Finding, counted
from nlp_transfer.doctor.ids import duplicate_ids
from nlp_transfer.doctor.labels import names
from nlp_transfer.doctor.losses import losses
from nlp_transfer.doctor.rows import RowReader
from nlp_transfer.records import Splits


def examine(splits: Splits, read: RowReader) -> Iterator[Finding]:
    """Run every check that fits all data.

    read: the task's rows
    """
    yield from losses(splits, read)
    yield from leakage(splits, read)
    yield from duplicates(splits, read)
    yield from conflicting_labels(splits, read)
    yield from names(splits)
    yield from duplicate_ids(splits)


def not_learned(splits: Splits, count: int | None) -> Iterator[Finding]:
    """Say that a run would not learn from all that is examined.

    count: the examples of train that it learns from; None: all
    """
    if count is None or "train" not in splits or count == len(splits["train"]):
        return
    all_of_them = counted(len(splits["train"]), "example")
    message = f"a run learns from {count:,} of {all_of_them}; all are examined here"
    fix = "Nothing to do; data.train_examples=null learns from all."
    yield Finding("train_examples", "info", message, fix, count=count, split="train")


def missing_splits(splits: Splits, scored: Sequence[str]) -> Iterator[Finding]:
    """Find the splits that a run needs and the data does not have.

    scored: those that are scored when a run ends
    """
    if "train" not in splits:
        message = f"no train split ({', '.join(splits)} only): there is nothing to learn from"
        yield Finding("no_train", "error", message, "Give it with data.splits.train=FILE.")
        return
    for split in dict.fromkeys(("validation", *scored)):
        if split not in splits:
            yield Finding(
                f"no_{split}",
                "info",
                f"no {split} split: it will be split off from train",
                f"Nothing to do, or give one with data.splits.{split}=FILE.",
            )
