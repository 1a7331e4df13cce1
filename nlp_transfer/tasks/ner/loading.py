"""The splits of a source in, tagged sentences in IOB2 out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.arrow_tables import beside, iterate, write_table, write_tables
from nlp_transfer.data.columns import check_slices
from nlp_transfer.data.formats.base import SPAN_KEYS, TAG_KEYS
from nlp_transfer.data.grouping import whole_sentences
from nlp_transfer.data.keys import refuse_unused
from nlp_transfer.data.load import (
    PLACE,
    ReadRows,
    as_splits,
    declared_labels,
    kept_for_slices,
    schema_of,
)
from nlp_transfer.data.raw import RawSplit
from nlp_transfer.data.scheme import UNNAMED, TagEvidence, TagReading, entity_type, types_of
from nlp_transfer.data.tags import to_iob2
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import LossLedger, Row, Splits
from nlp_transfer.tasks.ner.reading import SentenceReader

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)


def load_sentences(
    data: DataSection,
    raw: Sequence[RawSplit],
    types: tuple[str, ...] | None,
    *,
    held_out: bool,
    in_documents: bool,
) -> Splits:
    """Load word-level data and convert its tags to IOB2.

    raw:          the splits of the source
    types:        declared entity types, in their order; None takes them from the source
    held_out, in_documents: as `as_splits` has them
    """
    readers = [SentenceReader(data, split.label_names) for split in raw]
    read = [
        ReadRows(split, reader.read, lambda rows: whole_sentences(rows, data))
        for split, reader in zip(raw, readers, strict=True)
    ]
    _check_keys(data, readers, read)
    tables, losses = {}, {}
    found: set[str] = set()
    for split, reader, rows in zip(raw, readers, read, strict=True):
        loaded = _load_split(split, reader, rows, data, types)
        tables[split.name], losses[split.name], own = loaded
        found |= own
    check_slices(data, readers)
    labels = declared_labels(
        data,
        raw,
        found,
        wanted=types,
        setting="task.types",
        of_names=partial(types_of, entity_type=entity_type(data, types)),
    )
    return as_splits(
        tables, data, labels=labels, losses=losses, held_out=held_out, in_documents=in_documents
    )


def _check_keys(
    data: DataSection, readers: Sequence[SentenceReader], read: Sequence[ReadRows]
) -> None:
    """Refuse keys about tags where all rows have character spans, and the other way round."""
    firsts = [rows.first() for rows in read]
    spans = {r.has_spans(row) for r, row in zip(readers, firsts, strict=True) if row is not None}
    if spans == {True}:
        refuse_unused(data, TAG_KEYS, "rows with character spans", SPAN_KEYS)
    elif spans == {False}:
        refuse_unused(data, SPAN_KEYS, "rows with tags", TAG_KEYS)


def _load_split(
    split: RawSplit,
    reader: SentenceReader,
    rows: ReadRows,
    data: DataSection,
    types: tuple[str, ...] | None,
) -> tuple[Dataset, LossLedger, set[str]]:
    """Write the words of a split once, and its tags as they are and converted.

    returns: its rows, what reading them cost, and their entity types
    """
    evidence = TagEvidence()  # split by split: a corpus may keep its test set in another scheme
    of_words = schema_of(*PLACE, lists=["words", "lost", *kept_for_slices(data)])
    of_tags = schema_of(lists=["tags"])
    words, tags = write_tables(_noting(rows, evidence), of_words, of_tags)
    rows.check_not_empty()
    table = beside(words, tags)
    if not reader.reads_spans and data.scheme == "none":
        return table, rows.losses, set()
    reading = TagReading() if reader.reads_spans else evidence.reading(data, types)
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
    converted = write_table(conversion.rows(iterate(table)), of_tags)
    losses = rows.losses + LossLedger(tags_repaired=conversion.repaired)
    return beside(words, converted), losses, conversion.types


def _noting(rows: Iterable[dict[str, Any]], evidence: TagEvidence) -> Iterator[dict[str, Any]]:
    for row in rows:
        evidence.add(row["tags"])
        yield row


class _Conversion:
    """Turns tags of one scheme into IOB2, and notes types and repairs."""

    def __init__(self, reading: TagReading, *, repair: bool) -> None:
        self.types: set[str] = set()
        self.repaired = 0
        self._reading = reading
        self._refuses = reading.scheme in ("bioes", "bilou") and not repair
        self._known: dict[str, str] = {}

    def rows(self, rows: Iterable[Row]) -> Iterator[dict[str, list[str]]]:
        """Convert the tags of each row."""
        for row in rows:
            yield {"tags": self._tags(row)}

    def _tags(self, row: Row) -> list[str]:
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


def _word(row: Row, index: int) -> str:
    """Say where a word stands."""
    return f"{row['where']}: word {index + 1} ({row['words'][index]!r})"
