"""Raw rows in, the names of the columns out that hold texts and that no role reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from nlp_transfer.data.columns import CANDIDATES
from nlp_transfer.data.raw import RawRow
from nlp_transfer.recipe import Column, DataSection

_ROLES: tuple[Column, ...] = ("text", "text_pair", "label", "document", "id")
_LOOKED_AT = 100  # rows
_WORDS = 3
_CHARACTERS = 10  # of a script that has no blanks between words


def not_read(column: str) -> str:
    """Say that a column is not read, and how it would be."""
    return (
        f"the column {column!r} holds texts and is not read. As the second text: "
        f"data.columns.text_pair={column}; in place of the text: data.columns.text={column}"
    )


class UnreadTexts:
    """Looks at the first rows of a split as they pass by."""

    def __init__(self, data: DataSection) -> None:
        self._columns = data.columns
        self._rows = 0
        self._texts: Counter[str] = Counter()

    def watch(self, rows: Iterator[RawRow]) -> Iterator[RawRow]:
        """Hand rows on as they are."""
        for row in rows:
            if self._rows < _LOOKED_AT:
                self._rows += 1
                self._texts.update(self._found(row))
            yield row

    def names(self) -> tuple[str, ...]:
        """Name the columns that hold a text in most rows."""
        return tuple(name for name, count in self._texts.items() if count > self._rows / 2)

    def _found(self, row: RawRow) -> Iterator[str]:
        read = {self._column(role, row) for role in _ROLES}
        for name, value in row.values.items():
            if name not in read and _is_text(value):
                yield name

    def _column(self, role: Column, row: RawRow) -> str | None:
        if role in self._columns:
            return str(self._columns[role])
        return next((name for name in CANDIDATES[role] if name in row.values), None)


def _is_text(value: object) -> bool:
    if not isinstance(value, str):
        return False
    return len(value.split()) >= _WORDS or (len(value) >= _CHARACTERS and not value.isascii())
