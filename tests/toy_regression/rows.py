"""Texts with a number: loaded, checked, counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
from datasets import Dataset

from nlp_transfer.data.arrow_tables import write_table
from nlp_transfer.data.check import check_splits
from nlp_transfer.data.columns import NOTHING_LOST, ColumnReader, Read, checked_text
from nlp_transfer.data.load import PLACE, ReadRows, as_splits, schema_of
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.sources import open_source
from nlp_transfer.doctor.rows import columns
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import LossLedger, Nouns, Row, Splits


class NumberReader(ColumnReader):
    """Reads a text and the number under data.columns.label."""

    def read(self, raw: RawRow) -> Read:
        """Return {text, number, document, id, where}."""
        text, said = checked_text(self.value(raw, "text"), raw.where), self.value(raw, "label")
        try:
            number = float(said)
        except (TypeError, ValueError):
            number = math.nan
        if not text or not math.isfinite(number):
            raise UserError(f"{raw.where}: {text!r} has {said!r}; a text has a number.")
        return {"text": text, "number": number, **self.place(raw)}, NOTHING_LOST


@dataclass(frozen=True)
class RegressionRows:
    """Rows of a text and a number."""

    nouns: ClassVar[Nouns] = Nouns("text", "text", "texts", "number", "numbers", "numbers")
    case_matters: ClassVar[bool] = False
    losses: ClassVar[frozenset[str]] = frozenset()
    keys: ClassVar[frozenset[str]] = frozenset()
    spans: ClassVar[None] = None

    def load(self, data: DataSection, *, held_out: bool = True) -> Splits:
        """Load texts and numbers."""
        data, raw = open_source(data, self.keys)
        schema = schema_of("text", *PLACE).append(pa.field("number", pa.float32()))
        tables, losses = {}, {}
        for split in raw:
            rows = ReadRows(split, NumberReader(data).read)
            tables[split.name] = write_table(rows, schema)
            rows.check_not_empty()
            losses[split.name] = rows.losses
        return as_splits(tables, data, labels=(), losses=losses, held_out=held_out)

    def check(self, splits: Splits, needed: tuple[str, ...]) -> None:
        """Refuse missing and empty splits."""
        check_splits(splits, needed)

    def raw_words(self, splits: Splits, data: DataSection) -> None:
        """Texts are not split into words."""

    def unseen(self, splits: Splits, split: str) -> LossLedger:
        """Count what reading lost."""
        return splits.losses.get(split, LossLedger())

    def texts(self, rows: Dataset) -> Iterator[list[str]]:
        """Yield each text."""
        return ([text] for (text,) in columns(rows, "text"))

    def words(self, rows: Dataset) -> Iterator[list[str]]:
        """Yield what white space separates."""
        return (text.split() for (text,) in columns(rows, "text"))

    def answers(self, rows: Dataset) -> Iterator[list[str] | None]:
        """Yield the number of each row."""
        return ([f"{number:g}"] for (number,) in columns(rows, "number"))

    def label_counts(self, rows: Dataset) -> Counter[str]:
        """Numbers are no classes."""
        return Counter()

    def contrast(self, one: Row, other: Row) -> tuple[str, str]:
        """Show both numbers."""
        return f"{one['number']:g}", f"{other['number']:g}"
