"""The splits of a source in, labelled texts out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.arrow_tables import iterate, write_table
from nlp_transfer.data.columns import check_slices
from nlp_transfer.data.load import (
    PLACE,
    ReadRows,
    as_splits,
    declared_labels,
    kept_for_slices,
    schema_of,
)
from nlp_transfer.data.raw import RawSplit
from nlp_transfer.data.unread import UnreadTexts
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import LossLedger, Row, Splits
from nlp_transfer.tasks.classification.class_names import Renames, check_joined, settle
from nlp_transfer.tasks.classification.reading import TextReader

if TYPE_CHECKING:
    import pyarrow
    from datasets import Dataset


def load_texts(
    data: DataSection,
    raw: Sequence[RawSplit],
    classes: tuple[str, ...] | None,
    *,
    multi_label: bool,
    held_out: bool,
    unknown: str | None = None,
) -> Splits:
    """Load texts and their labels.

    raw:      the splits of the source
    classes:  declared class names, in their order; None takes them from the source
    held_out: as `as_splits` has it
    unknown:  what the source calls texts of none of the classes: they have no label then
    raises:   UserError where such texts are to be learned from
    """
    tables, losses, unread = {}, {}, {}
    readers = []
    found: dict[str, set[str]] = {}
    for split in raw:
        reader = TextReader(data, split.label_names, multi_label=multi_label)
        readers.append(reader)
        watched = UnreadTexts(data)
        rows = ReadRows(split, reader.read, watched.watch)
        found[split.name] = set()
        known = _without(unknown, rows, split.name)
        tables[split.name] = write_table(_collecting(known, found[split.name]), _schema(data))
        rows.check_not_empty()
        reader.labels.finish()
        losses[split.name] = rows.losses + _incomplete_pairs(tables[split.name])
        unread[split.name] = watched.names()
        check_joined(reader.labels.cut - set(classes or data.label_names or ()))
    check_slices(data, readers)
    _settle(tables, found, classes or data.label_names)
    if not multi_label and "train" in tables:
        check_classes(tables["train"])
    all_found = set().union(*found.values())
    declared = declared_labels(data, raw, all_found, wanted=classes, setting="task.classes")
    return as_splits(
        tables,
        data,
        labels=tuple(name for name in declared if name != unknown),
        losses=losses,
        unread=unread,
        held_out=held_out,
        classes_of=_classes,
    )


def _schema(data: DataSection) -> pyarrow.Schema:
    return schema_of("text", "text_pair", *PLACE, lists=["labels", *kept_for_slices(data)])


def _settle(
    tables: dict[str, Dataset], found: dict[str, set[str]], declared: tuple[str, ...] | None
) -> None:
    """Write the tables anew whose classes have other names than they seemed to have."""
    for name, renames in settle(found, declared).items():
        if renames:
            schema = tables[name].features.arrow_schema
            tables[name] = write_table(_renamed(iterate(tables[name]), renames), schema)
            found[name] = {label for labels in tables[name]["labels"] for label in labels or ()}


def check_classes(rows: Dataset, keys: str = "data.splits.train") -> int:
    """Count the classes of rows; refuse a single one: there is nothing to learn.

    keys: what decides which rows there are
    """
    classes = {name for labels in rows["labels"] for name in labels or ()}
    if len(classes) < 2:
        raise UserError(
            f"The train split has one class only ({', '.join(classes) or 'none'}): training needs "
            f"at least 2. Check data.columns.label and {keys}."
        )
    return len(classes)


def _classes(rows: Dataset) -> list[str]:
    """Name the class of each row, or all of its labels."""
    return ["|".join(labels or ()) for labels in rows["labels"]]


def _incomplete_pairs(rows: Dataset) -> LossLedger:
    """Count the rows without a second text where others have one."""
    missing = rows.data["text_pair"].null_count
    return LossLedger(pairs_incomplete=missing if missing < len(rows) else 0)


def _without(
    unknown: str | None, rows: Iterable[dict[str, Any]], split: str
) -> Iterator[dict[str, Any]]:
    """Take the label from the texts of none of the classes."""
    for row in rows:
        if unknown is None or row["labels"] != [unknown]:
            yield row
        elif split == "train":
            raise UserError(
                f"{row['where']}: the train split has a text of task.unknown_label {unknown!r}, "
                "which nothing is learned from. Leave such texts out of it, or leave out "
                "task.unknown_label: then it is a class as the others are."
            )
        else:
            yield {**row, "labels": []}


def _collecting(rows: Iterable[dict[str, Any]], found: set[str]) -> Iterator[dict[str, Any]]:
    for row in rows:
        found.update(row["labels"] or ())
        yield row


def _renamed(rows: Iterable[Row], renames: Renames) -> Iterator[dict[str, Any]]:
    for row in rows:
        read = [renames.get(name, name) for name in row["labels"] or ()]
        known = row["labels"] is not None and None not in read
        yield {**row, "labels": read if known else None}
