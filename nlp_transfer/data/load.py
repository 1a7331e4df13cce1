"""What loading the data of any task takes: raw rows read one by one, labels, held-out splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.arrow_tables import fingerprint
from nlp_transfer.data.columns import Read
from nlp_transfer.data.label_values import WHOLE
from nlp_transfer.data.raw import RawRow, RawSplit
from nlp_transfer.data.splitting import hold_out
from nlp_transfer.data.subset import check_enough, draw
from nlp_transfer.errors import UserError, nearest
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import SPLIT_NAMES, LossLedger, Splits

if TYPE_CHECKING:
    import pyarrow
    from datasets import Dataset

PLACE = ("document", "id", "where")
"""Columns of the rows of every task, a text each."""


def kept_for_slices(data: DataSection) -> tuple[str, ...]:
    """Name the column, a list of texts, that keeps what a report is sorted by, where something."""
    return ("slices",) if data.slices else ()


def schema_of(*texts: str, lists: Sequence[str] = ()) -> pyarrow.Schema:
    """Describe a table with columns of texts, and of lists of texts."""
    import pyarrow as pa

    kinds = {**dict.fromkeys(lists, pa.list_(pa.string())), **dict.fromkeys(texts, pa.string())}
    return pa.schema(list(kinds.items()))


class ReadRows:
    """The rows of a split as they are read, and what reading has cost so far."""

    def __init__(
        self,
        split: RawSplit,
        read: Callable[[RawRow], Read],
        group: Callable[[Iterator[RawRow]], Iterator[RawRow]] = iter,
    ) -> None:
        self.losses = LossLedger()
        self._split = split
        self._read = read
        self._group = group
        self._begun: Iterator[RawRow] | None = None
        self._count = 0

    def first(self) -> RawRow | None:
        """Look at the first row, before any is read."""
        self._begun = self._group(self._split.read())
        first = next(self._begun, None)
        self._begun = chain([first] if first else [], self._begun)
        return first

    def __iter__(self) -> Iterator[dict[str, Any]]:
        nothing = LossLedger()
        for raw in self._begun or self._group(self._split.read()):
            row, losses = self._read(raw)
            if losses != nothing:
                self.losses += losses
            if row is not None:
                self._count += 1
                yield row

    def check_not_empty(self) -> None:
        """Refuse a split without any row that can be read."""
        if self._count:
            return
        dropped = self.losses.examples_dropped
        why = f" ({dropped} left out: no words, text or label)" if dropped else ""
        raise UserError(f"{self._split.place}: no example was found{why}. Is the file empty?")


def declared_labels(
    data: DataSection,
    raw: Sequence[RawSplit],
    found: set[str],
    *,
    wanted: tuple[str, ...] | None,
    setting: str,
    of_names: Callable[[Sequence[str]], tuple[str, ...]] = tuple,
) -> tuple[str, ...]:
    """Choose the labels and their order: the recipe's, the source's, or those found, sorted.

    found:    in the data
    wanted:   by the recipe, under the key `setting`
    of_names: tells the labels from the names that integers stand for
    """
    named = data.label_names or next((s.label_names for s in raw if s.label_names), ())
    declared = of_names(named)
    if wanted is None and data.label_names:
        wanted, setting = declared, "data.label_names"
    if wanted is not None:
        unknown = sorted(found - set(wanted))
        if unknown:
            others = setting.removeprefix("data.") in data.lapsing
            raise UserError(
                f"{setting}: the data has {unknown[0]!r}, the recipe declares {', '.join(wanted)}."
                f"{nearest(unknown[0], wanted)} Fix the data, or add it to {setting}"
                f"{f'; {setting}=null reads labels of other data' if others else ''}."
            )
        return wanted
    return (*declared, *_sorted(found - set(declared)))


def _sorted(names: set[str]) -> list[str]:
    """Sort names, numbers by their value: 2 before 10."""
    if all(map(WHOLE.fullmatch, names)):
        return sorted(names, key=int)
    return sorted(names)


def as_splits(
    tables: Mapping[str, Dataset],
    data: DataSection,
    *,
    labels: tuple[str, ...],
    losses: Mapping[str, LossLedger],
    unread: Mapping[str, tuple[str, ...]] | None = None,
    held_out: bool,
    classes_of: Callable[[Dataset], list[str]] | None = None,
    in_documents: bool = False,
) -> Splits:
    """Put loaded tables together; `held_out` makes of them what a run reads.

    What is not there is split off from train, and then train is cut to data.train_examples.
    classes_of:   the class of each row, where held-out rows are to have them in proportion
    in_documents: rows are read with those around them in their document
    """
    splits = _with_held_out(tables, data, classes_of) if held_out else dict(tables)
    if data.train_examples is not None and "train" in splits:
        split_off = len(tables["train"]) - len(splits["train"])
        check_enough(splits["train"], data.train_examples, split_off=split_off)
        if held_out:
            splits, losses = _with_fewer(splits, data.train_examples, losses, in_documents)
    return Splits(
        datasets={name: splits[name] for name in SPLIT_NAMES if name in splits},
        labels=labels,
        fingerprints={name: fingerprint(table) for name, table in splits.items()},
        losses=losses,
        unread=unread or {},
    )


def _with_fewer(
    tables: Mapping[str, Dataset],
    count: int,
    losses: Mapping[str, LossLedger],
    in_documents: bool,
) -> tuple[dict[str, Dataset], dict[str, LossLedger]]:
    """Cut train to so many examples, and count what is left out."""
    rows = tables["train"]
    content = [name for name in rows.column_names if name not in (*PLACE, "slices")]
    drawn = draw(rows, count, content=content, whole_documents=in_documents)
    left_out = LossLedger(examples_left_out=len(rows) - count)
    ledger = losses.get("train", LossLedger()) + left_out
    return {**tables, "train": drawn}, {**losses, "train": ledger}


def _with_held_out(
    tables: Mapping[str, Dataset],
    data: DataSection,
    classes_of: Callable[[Dataset], list[str]] | None,
) -> dict[str, Dataset]:
    """Split off from train what the source does not have."""
    splits = dict(tables)
    if "train" not in splits:
        return splits  # enough for `nlpt evaluate`; training checks for itself
    count = len(splits["train"])
    shares = {"test": data.test_share, "validation": data.validation_share}
    for name, share in shares.items():
        if name not in splits:
            left = len(splits["train"]) / max(1, count)  # shares are of what the source gave
            splits["train"], splits[name] = hold_out(
                splits["train"],
                min(share / left, 0.9),
                seed=data.split_seed,
                split=name,
                classes=classes_of(splits["train"]) if classes_of else [],
            )
    return splits
