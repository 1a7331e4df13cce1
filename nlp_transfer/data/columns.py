"""One raw row of any source in, one row in the project's own columns out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from nlp_transfer.data.raw import RawRow
from nlp_transfer.errors import UserError, nearest, shortened
from nlp_transfer.recipe import Column, DataSection
from nlp_transfer.records import LossLedger

# Names by which columns are known when the recipe does not name them, the surest first.
CANDIDATES: Mapping[Column, tuple[str, ...]] = {
    "tokens": ("tokens", "words"),
    "tags": ("tags", "ner_tags", "labels"),
    "text": ("text", "sentence", "utterance", "content", "data"),
    "spans": ("spans", "entities", "label", "labels"),
    "text_pair": ("text_pair",),
    "label": ("label", "labels", "category", "intent", "class"),
    "document": ("document", "document_id", "doc_id"),
    "sentence": (),  # of tables with one word a row, which are grouped before they come here
    "id": ("id",),
}
_TABLE = re.compile(r"\.[ct]sv(\.gz)?:\d+$", re.IGNORECASE)
_OPTIONAL = ("text_pair", "document", "id", "spans")
_NO_ANSWER = ("reject", "ignore")
NOTHING_LOST = LossLedger()
DROPPED = LossLedger(examples_dropped=1)
"""What a row costs that is left out."""

Read = tuple[dict[str, Any] | None, LossLedger]
"""A row, or None where it is left out, and what reading it cost."""


def declared_names(
    data: DataSection, named: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...] | None:
    """Choose, among the columns whose numbers a source names, the one with the tags or labels."""
    given = [data.columns[role] for role in ("tags", "label") if role in data.columns]
    # As the rows are read: conll2003 has named part-of-speech tags before its named entity tags.
    columns = given or (*CANDIDATES["tags"], *CANDIDATES["label"])
    return next((named[str(column)] for column in columns if str(column) in named), None)


class ColumnReader:
    """Reads the columns of raw rows as the recipe names them; every error names the row's place."""

    def __init__(self, data: DataSection) -> None:
        self.data = data
        self.columns: dict[str, None] = {}
        """Of all columns, in their order, where some are kept for slices."""

    def is_rejected(self, raw: RawRow) -> bool:
        """Tell a row of which Prodigy's annotator said that it is wrong, or of no use."""
        is_column = "answer" in map(str, self.data.columns.values())
        return not is_column and str(raw.values.get("answer")).lower() in _NO_ANSWER

    def found(self, raw: RawRow, role: Column) -> bool:
        """Tell whether there is a column for a role, by the recipe or by its usual names."""
        return role in self.data.columns or any(name in raw.values for name in CANDIDATES[role])

    def value(self, raw: RawRow, role: Column) -> Any:
        """Return what stands in the column of a role; None where one that may be missing is."""
        wanted = self.data.columns.get(role)
        values = raw.values
        if wanted is not None and str(wanted) in values:
            return values[str(wanted)]
        if wanted is not None and role in values and isinstance(wanted, int):
            return values[role]  # CoNLL columns have numbers: the reader has applied them
        if wanted is not None:
            raise UserError(
                f"data.columns.{role}: there is no column {wanted!r} in {raw.where}. "
                f"Found: {shortened(list(values))}.{nearest(str(wanted), list(values))}"
            )
        for candidate in CANDIDATES[role]:
            if candidate in values:
                return values[candidate]
        if role in _OPTIONAL:
            return None
        hint = " If the file has no header: data.header=false" if _TABLE.search(raw.where) else ""
        raise UserError(
            f"{raw.where}: no column looks like {role}. Found: {shortened(list(values))}. "
            f"Name it with data.columns.{role}=COLUMN.{hint}"
        )

    def place(self, raw: RawRow) -> dict[str, Any]:
        """Say where a row comes from: {document, id, where}, and slices where some are asked for.

        raises: UserError where a column that is kept for slices holds a list or an object
        """
        kept = {"slices": self._kept(raw)} if self.data.slices else {}
        return {
            "document": _text_or_none(self.value(raw, "document")),
            "id": _text_or_none(self.value(raw, "id")),
            "where": raw.where,
            **kept,
        }

    def _kept(self, raw: RawRow) -> list[str | None]:
        """Return what stands in the columns of `data.slices`; None where there is nothing."""
        self.columns |= dict.fromkeys(raw.values)
        values = [raw.values.get(name) for name in self.data.slices]
        for name, value in zip(self.data.slices, values, strict=True):
            if isinstance(value, list | tuple | dict):
                raise UserError(
                    f"data.slices: {raw.where}: the column {name!r} holds several values; a slice "
                    "needs one text or number for each example. Name another column."
                )
        return [None if is_blank(value) else str(value) for value in values]


def check_slices(data: DataSection, readers: Sequence[ColumnReader]) -> None:
    """Refuse a column of `data.slices` that no row of any split has.

    readers: of the splits, all rows read
    """
    found = list(dict.fromkeys(name for reader in readers for name in reader.columns))
    unknown = [name for name in data.slices if name not in found]
    if unknown and "slices" not in data.lapsing:
        raise UserError(
            f"data.slices: there is no column {unknown[0]!r} in {data.source}. "
            f"Found: {shortened(found)}.{nearest(unknown[0], found)}"
        )


def checked_text(value: object, where: str) -> str | None:
    """Take a string as it is; None and NaN, by which tables say that there is none, as None.

    raises: UserError for anything else: a number would be read as what it is not
    """
    if is_missing(value):
        return None
    if not isinstance(value, str):
        raise UserError(
            f"{where}: the text is {str(value)[:60]!s} ({type(value).__name__}); it must be a "
            "string. Put it in quotes, or name another column."
        )
    return value


def is_missing(value: object) -> bool:
    """Tell None and NaN, by which tables say that there is nothing."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def is_blank(value: object) -> bool:
    """Tell what is missing, and white space."""
    return is_missing(value) or (isinstance(value, str) and not value.strip())


def _text_or_none(value: object) -> str | None:
    return None if is_missing(value) else str(value)
