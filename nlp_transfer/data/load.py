"""A data section in, normalised splits out: the door through which all labelled text comes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.check import check_classes
from nlp_transfer.data.class_names import Renames, check_joined, settle
from nlp_transfer.data.columns import Read, RowReader
from nlp_transfer.data.grouping import whole_sentences
from nlp_transfer.data.keys import OF_TASKS
from nlp_transfer.data.label_values import WHOLE
from nlp_transfer.data.raw import RawRow, RawSplit
from nlp_transfer.data.scheme import UNNAMED, TagEvidence, TagReading, entity_type, types_of
from nlp_transfer.data.sources import open_source
from nlp_transfer.data.splitting import hold_out
from nlp_transfer.data.tables import fingerprint, iterate, write_table
from nlp_transfer.data.tags import to_iob2
from nlp_transfer.data.unread import UnreadTexts
from nlp_transfer.errors import UserError, nearest
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import SPLIT_NAMES, LossLedger, Splits

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)

_PLACE = {"document": "string", "id": "string", "where": "string"}


def load_ner(data: DataSection, *, types: tuple[str, ...] | None, held_out: bool = True) -> Splits:
    """Load word-level data and convert its tags to IOB2.

    types:    declared entity types, in their order; None takes them from the source
    held_out: split off from train what the source does not have
    """
    raw = open_source(data, OF_TASKS - {"label_separator"})
    of_names = partial(types_of, entity_type=entity_type(data, types))
    schema = _schema({"words": ["string"], "tags": ["string"], "lost": ["string"]})
    tables, losses = {}, {}
    found: set[str] = set()
    for split in raw:
        # Told apart file by file: one corpus may keep its development set in another scheme.
        evidence = TagEvidence()
        reader = RowReader(data, split.label_names)
        rows = _Rows(split, reader.ner, lambda raw: whole_sentences(raw, data))
        table = write_table(_noting(rows, evidence), schema)
        rows.check_not_empty()
        reading = TagReading() if reader.reads_spans else evidence.reading(data, types)
        if reader.reads_spans or data.scheme != "none":
            reading.check(split.place, types_declared=bool(types or data.label_names))
            if reading.is_unnamed and reading.entity_type == UNNAMED:
                log.warning(
                    "%s: the tags (%s) name no type, so entities are called %s; "
                    "data.entity_type=NAME calls them otherwise",
                    split.name,
                    ", ".join(reading.tags),
                    UNNAMED,
                )
            conversion = _Conversion(reading, repair=data.repair)
            table = write_table(conversion.rows(iterate(table)), schema)
            losses[split.name] = LossLedger(tags_repaired=conversion.repaired)
            found |= conversion.types
        tables[split.name] = table
        losses[split.name] = rows.losses + losses.get(split.name, LossLedger())
    names = _declared(types, _label_names(data, raw), of_names, found, "task.types", data)
    return _finished(tables, data, names, losses, held_out)


def load_classification(
    data: DataSection,
    *,
    classes: tuple[str, ...] | None,
    multi_label: bool,
    held_out: bool = True,
) -> Splits:
    """Load texts and their labels.

    classes:  declared class names, in their order; None takes them from the source
    held_out: split off from train what the source does not have
    """
    raw = open_source(data, {"label_separator"} if multi_label else set())
    schema = _schema({"text": "string", "text_pair": "string", "labels": ["string"]})
    tables, losses = {}, {}
    found: dict[str, set[str]] = {}
    unread: dict[str, UnreadTexts] = {}
    for split in raw:
        reader = RowReader(data, split.label_names)
        unread[split.name] = UnreadTexts(data)
        rows = _Rows(
            split,
            partial(reader.classification, multi_label=multi_label),
            unread[split.name].watch,
        )
        found[split.name] = set()
        tables[split.name] = write_table(_collecting(rows, found[split.name]), schema)
        rows.check_not_empty()
        reader.labels.finish()
        losses[split.name] = rows.losses + _incomplete_pairs(tables[split.name])
        check_joined(reader.labels.cut - set(classes or data.label_names or ()))
    for name, renames in settle(found, classes or data.label_names).items():
        if renames:
            tables[name] = write_table(_renamed(iterate(tables[name]), renames), schema)
            found[name] = {label for labels in tables[name]["labels"] for label in labels or ()}
    if not multi_label and "train" in tables:
        check_classes(tables["train"])
    names = _declared(
        classes, _label_names(data, raw), tuple, set().union(*found.values()), "task.classes", data
    )
    columns = {split: of_split.names() for split, of_split in unread.items()}
    return replace(_finished(tables, data, names, losses, held_out), unread=columns)


def _incomplete_pairs(rows: Dataset) -> LossLedger:
    """Count the rows without a second text where others have one."""
    missing = rows.data["text_pair"].null_count
    return LossLedger(pairs_incomplete=missing if missing < len(rows) else 0)


class _Rows:
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
        self._count = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        nothing = LossLedger()
        for raw in self._group(self._split.read()):
            row, losses = self._read(raw)
            if losses != nothing:
                self.losses += losses
            if row is not None:
                self._count += 1
                yield row

    def check_not_empty(self) -> None:
        if self._count:
            return
        dropped = self.losses.examples_dropped
        why = f" ({dropped} left out: no words, text or label)" if dropped else ""
        raise UserError(f"{self._split.place}: no example was found{why}. Is the file empty?")


class _Conversion:
    """Turns tags of one scheme into IOB2, and notes types and repairs."""

    def __init__(self, reading: TagReading, *, repair: bool) -> None:
        self.types: set[str] = set()
        self.repaired = 0
        self._reading = reading
        self._refuses = reading.scheme in ("bioes", "bilou") and not repair
        self._known: dict[str, str] = {}

    def rows(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for row in rows:
            yield {**row, "tags": self._tags(row)}

    def _tags(self, row: dict[str, Any]) -> list[str]:
        for index, tag in enumerate(row["tags"]):
            if tag not in self._known:
                if fault := self._reading.fault(tag):
                    raise UserError(f"{_word(row, index)}: {fault}.")
                self._known[tag] = self._reading.canonical(tag)
        scheme = self._reading.scheme
        tags, broken = to_iob2([self._known[tag] for tag in row["tags"]], scheme)
        if broken and self._refuses:
            raise UserError(
                f"{_word(row, broken[0])}: {row['tags'][broken[0]]} breaks the scheme "
                f"{scheme}: entities begin with B- and end with "
                f"{'E' if scheme == 'bioes' else 'L'}-. Fix it, or read such tags leniently "
                "with data.repair=true."
            )
        self.repaired += len(broken)
        self.types.update(tag[2:] for tag in tags if tag != "O")
        self.types.update(row["lost"])
        return tags


def _word(row: dict[str, Any], index: int) -> str:
    """Say where a word stands."""
    return f"{row['where']}: word {index + 1} ({row['words'][index]!r})"


def _schema(columns: dict[str, Any]) -> Any:
    import pyarrow as pa

    def kind(name: Any) -> Any:
        return pa.list_(pa.string()) if isinstance(name, list) else pa.string()

    return pa.schema([(name, kind(of)) for name, of in (columns | _PLACE).items()])


def _noting(rows: Iterable[dict[str, Any]], evidence: TagEvidence) -> Iterator[dict[str, Any]]:
    for row in rows:
        evidence.add(row["tags"])
        yield row


def _collecting(rows: Iterable[dict[str, Any]], found: set[str]) -> Iterator[dict[str, Any]]:
    for row in rows:
        found.update(row["labels"] or ())
        yield row


def _renamed(rows: Iterable[dict[str, Any]], renames: Renames) -> Iterator[dict[str, Any]]:
    for row in rows:
        read = [renames.get(name, name) for name in row["labels"] or ()]
        known = row["labels"] is not None and None not in read
        yield {**row, "labels": read if known else None}


def _label_names(data: DataSection, raw: list[RawSplit]) -> tuple[str, ...]:
    """Name what integer labels stand for: by the recipe, else by the source, else not at all."""
    return data.label_names or next((s.label_names for s in raw if s.label_names), ())


def _declared(
    wanted: tuple[str, ...] | None,
    names: tuple[str, ...],
    of_names: Callable[[Sequence[str]], tuple[str, ...]],
    found: set[str],
    setting: str,
    data: DataSection,
) -> tuple[str, ...]:
    """Choose the labels and their order: the recipe's, the source's, or those found, sorted."""
    declared = of_names(names)
    if wanted is None and data.label_names:
        wanted, setting = declared, "data.label_names"
    if wanted is not None:
        unknown = sorted(found - set(wanted))
        if unknown:
            raise UserError(
                f"{setting}: the data has {unknown[0]!r}, the recipe declares {', '.join(wanted)}."
                f"{nearest(unknown[0], wanted)} Fix the data, or add it to {setting}."
            )
        return wanted
    return (*declared, *_sorted(found - set(declared)))


def _sorted(names: set[str]) -> list[str]:
    """Sort names, numbers by their value: 2 before 10."""
    if all(map(WHOLE.fullmatch, names)):
        return sorted(names, key=int)
    return sorted(names)


def _finished(
    tables: dict[str, Dataset],
    data: DataSection,
    labels: tuple[str, ...],
    losses: dict[str, LossLedger],
    held_out: bool,
) -> Splits:
    splits = _with_held_out(tables, data) if held_out else tables
    return Splits(
        datasets={name: splits[name] for name in SPLIT_NAMES if name in splits},
        labels=labels,
        fingerprints={name: fingerprint(table) for name, table in splits.items()},
        losses=losses,
    )


def _with_held_out(tables: dict[str, Dataset], data: DataSection) -> dict[str, Dataset]:
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
                splits["train"], min(share / left, 0.9), seed=data.split_seed, split=name
            )
    return splits
