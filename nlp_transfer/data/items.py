"""Rows of any shape in, what a model reads of each out; its fields back beside its result."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from nlp_transfer.data.columns import CANDIDATES, checked_text
from nlp_transfer.data.raw import RawRow
from nlp_transfer.errors import UserError, nearest, shortened

log = logging.getLogger(__name__)

Role = Literal["text", "text_pair", "tokens", "document"]
ROLES: tuple[Role, ...] = ("text", "text_pair", "tokens", "document")
"""What a model reads of a row."""

Columns = Mapping[str, str | int]
"""Names of columns by role, or numbers where columns have no names."""

_RENAMED = "input_"
_ADVICE = (
    "Name the text with --columns text=COLUMN; a table without a header: --no-header --columns "
    "text=0."
)


@dataclass(frozen=True)
class Item:
    """One row to predict: what a model may read of it, and all of its fields."""

    text: str | None
    """None where there are words only."""
    tokens: list[str] | None
    text_pair: str | None
    document: str | None
    fields: Mapping[str, object]
    read: Mapping[Role, str]
    """The field that each role was read from, by role."""

    def as_text(self) -> str:
        """Return the text; words without one are joined by blanks."""
        return self.text if self.text is not None else " ".join(self.tokens or ())


Given = str | Sequence[str] | Mapping[str, object] | RawRow | Item
"""What is taken for an item: a text, words where a model reads words, or fields by name."""


def kept_columns(columns: Mapping[str, Any]) -> Columns:
    """Return the columns that a model's config.json keeps, of those that are read again."""
    return {role: columns[role] for role in ROLES if isinstance(columns.get(role), str | int)}


class ItemReader:
    """Reads rows by the columns that a model learned from, or that the user names.

    kept:  columns of the model; where a row lacks one, its role may stand under its own name
    named: columns that the user names, which must be there
    word_lists: an item may be a list of words
    answers: each item is to have one, also those that hold no text
    advice:  what to do about a row in which nothing looks like a text
    """

    def __init__(
        self,
        kept: Columns,
        named: Columns | None = None,
        *,
        word_lists: bool = False,
        answers: bool = True,
        advice: str = _ADVICE,
    ) -> None:
        self._word_lists = word_lists
        self._answers = answers
        self._advice = advice
        self._named = dict(named or {})
        self._kept = {role: name for role, name in kept.items() if role not in self._named}
        self._reads_pairs = "text_pair" in kept or "text_pair" in self._named

    def items(self, given: Iterable[Given]) -> Iterator[Item]:
        """Read items, streaming, and say at the end how many of them lack something."""
        count = empty = alone = 0
        for count, one in enumerate(given, start=1):
            if isinstance(one, Item):
                yield one  # read before, by a reader that has counted it
                continue
            item = self.item(one, count)
            empty += not item.as_text().strip()
            alone += self._reads_pairs and item.text_pair is None
            if count == 1:
                self._say_guess(item)
            if alone == count == 1:
                log.warning(
                    "The model reads pairs; the first item has no second text. Found: %s. If a "
                    "column has it: --columns text_pair=COLUMN",
                    shortened(list(item.fields)),
                )
            yield item
        if empty and self._answers:
            log.warning("%d of %d items hold no text; their answers mean nothing", empty, count)
        if alone:
            log.warning("%d of %d items have no second text: the first was read", alone, count)

    def _say_guess(self, item: Item) -> None:
        """Say which column is taken for the text, where nobody has named it and it is not text."""
        column = item.read.get("text", "text")
        if item.tokens is None and column != "text" and column not in self._names():
            others = [name for name in item.fields if name not in item.read.values()]
            unread = f"; not read: {shortened(others, 12)}" if others else ""
            log.info("the column %r is read as the text%s", column, unread)

    def _names(self) -> set[str]:
        return {str(name) for name in (*self._named.values(), *self._kept.values())}

    def item(self, given: object, number: int) -> Item:
        """Read one item, by its number in messages; nothing is said of it in the log.

        raises: UserError for what is none, or holds no text
        """
        _check_characters(item := self._item(given, number), number)
        return item

    def _item(self, given: object, number: int) -> Item:
        if isinstance(given, str):
            return Item(given, None, None, None, {"text": given}, {"text": "text"})
        if self._word_lists and _are_words(given):
            words = list(given)
            return Item(None, words, None, None, {"tokens": words}, {"tokens": "tokens"})
        if isinstance(given, RawRow):
            row = given
        elif isinstance(given, Mapping):
            row = RawRow(f"item {number}", given)
        else:
            or_words = "a list of words, " if self._word_lists else ""
            raise UserError(
                f"item {number}: expected a text, {or_words}or a dictionary with text or tokens; "
                f"found {repr(given)[:60]}."
            )
        return self.read(row)

    def read(self, row: RawRow) -> Item:
        """Read one row.

        raises: UserError for a row without a column of text or words, or a text that is none
        """
        values = row.values
        columns = {role: name for role in ROLES if (name := self._column(role, row)) is not None}
        tokens = self._tokens(row, columns.get("tokens"))
        text = columns.get("text")
        if tokens is None and text is None:
            raise UserError(self._nothing_to_read(row))
        if tokens is None:
            columns.pop("tokens", None)
        first = None if text is None else checked_text(values[text], row.where)
        if first is None and tokens is None:
            first = ""  # an answer for every row: `items` counts it
        pair = columns.get("text_pair")
        second = None if pair is None else checked_text(values[pair], row.where)
        document = values[columns["document"]] if "document" in columns else None
        return Item(
            text=first,
            tokens=tokens,
            text_pair=second if second and second.strip() else None,
            document=None if document is None else str(document),
            fields=values,
            read=columns,
        )

    def _column(self, role: Role, row: RawRow) -> str | None:
        """Find the column of a role: as the user says, as the model says, by its usual names."""
        values = row.values
        if role in self._named:
            wanted = str(self._named[role])
            if wanted not in values and not (role in values and wanted.lstrip("-").isdecimal()):
                raise UserError(
                    f"{row.where}: there is no column {wanted!r} for {role}. Found: "
                    f"{shortened(list(values))}.{nearest(wanted, list(values))} "
                    f"Name it with --columns {role}=COLUMN."
                )
            return wanted if wanted in values else role  # the reader has applied the number
        kept = str(self._kept[role]) if role in self._kept else None
        usual = (role,) if kept is not None else CANDIDATES[role]
        return next((name for name in (kept, *usual) if name is not None and name in values), None)

    def _tokens(self, row: RawRow, column: str | None) -> list[str] | None:
        """Take a list of words; a string is cut at blanks where the column is named."""
        value = None if column is None else row.values[column]
        is_named = column in (self._named.get("tokens"), self._kept.get("tokens"))
        if isinstance(value, str) and is_named:
            return value.split(" ") if value else []
        if _are_words(value):
            return list(value)
        return None

    def _nothing_to_read(self, row: RawRow) -> str:
        usual = ", ".join(dict.fromkeys((*CANDIDATES["text"], *CANDIDATES["tokens"])))
        kept = [f"{role}: {name}" for role, name in self._kept.items() if role != "document"]
        learned = f" The model learned from {', '.join(kept)}." if kept else ""
        return (
            f"{row.where}: no column looks like a text (a string) or words (a list of strings): "
            f"{usual}.{learned} Found: {shortened(list(row.values))}. {self._advice}"
        )


def _check_characters(item: Item, number: int) -> None:
    """Refuse half of a surrogate pair, which Python's strings can hold and no tokenizer takes."""
    try:
        "".join((item.text or "", item.text_pair or "", *(item.tokens or ()))).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"item {number}: U+{ord(error.object[error.start]):04X} is half a character. Write the "
            "whole character, or replace it: text.encode('utf-8', 'replace').decode()."
        ) from None


def _are_words(value: object) -> TypeGuard[Sequence[str]]:
    return isinstance(value, list | tuple) and all(isinstance(word, str) for word in value)


def beside(item: Item, result: Mapping[str, object], reserved: Collection[str]) -> dict[str, Any]:
    """Put the fields of a row before its result, in the row's order; none replaces another.

    reserved: names that results use: another field with such a name gets "input_" before it
    """
    taken = {*reserved, *result}
    row: dict[str, Any] = {}
    for name, value in item.fields.items():
        if name not in taken:
            row[name] = value
        elif (name, name) in item.read.items() and name in result:
            row[name] = result[name]  # it is what was read
        elif name == item.read.get("text_pair") and item.text_pair is None:
            row[name] = value  # nothing to read
        else:
            row[free_name(name, taken, item.fields)] = value
    return {**row, **result}


def free_name(name: str, taken: Collection[str], others: Collection[str]) -> str:
    """Put "input_" before a name that is taken, once more where that is the name of another."""
    if name not in taken:
        return name
    name = f"{_RENAMED}{name}"
    while name in taken or name in others:
        name = f"{_RENAMED}{name}"
    return name
