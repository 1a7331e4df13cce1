"""One raw row of any source in, one row in the project's own columns out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.spans import read_spans, to_words
from nlp_transfer.errors import UserError, nearest
from nlp_transfer.recipe import Column, DataSection
from nlp_transfer.records import LossLedger

# Names by which columns are known when the recipe does not name them, the surest first.
CANDIDATES: Mapping[Column, tuple[str, ...]] = {
    "tokens": ("tokens", "words"),
    "tags": ("tags", "ner_tags", "labels"),
    "text": ("text", "sentence", "utterance", "content"),
    "spans": ("spans", "entities", "label", "labels"),
    "text_pair": ("text_pair",),
    "label": ("label", "labels", "category", "intent", "class"),
    "document": ("document", "document_id", "doc_id"),
    "sentence": (),  # of tables with one word a row, which are grouped before they come here
    "id": ("id",),
}
_TABLE = re.compile(r"\.[ct]sv(\.gz)?:\d+$", re.IGNORECASE)
_OPTIONAL = ("text_pair", "document", "id", "spans")
_NOTHING_LOST = LossLedger()
_DROPPED = LossLedger(examples_dropped=1)

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


class RowReader:
    """Reads raw rows by the recipe's columns; every error names the row's place."""

    def __init__(self, data: DataSection, label_names: tuple[str, ...] | None) -> None:
        self._data = data
        self._names = data.label_names or label_names
        self.reads_spans = False
        """Tags were made from character spans, so they are IOB2 whatever the recipe says."""
        self._known: dict[str, str] = {}  # few tags, said over and over

    def ner(self, raw: RawRow) -> Read:
        """Return {words, tags, lost, document, id, where}; tags are in the source's own scheme."""
        if raw.values.get("answer") in ("reject", "ignore"):  # Prodigy: the annotator says no
            return None, _DROPPED
        if self._has_spans(raw):
            return self._from_spans(raw)
        words = _listed(self._value(raw, "tokens"), raw, "tokens")
        tags = _listed(self._value(raw, "tags"), raw, "tags")
        if len(words) != len(tags):
            raise UserError(
                f"{raw.where}: {len(words)} tokens but {len(tags)} tags; each token has one tag."
            )
        if not words:
            return None, _DROPPED
        for number, word in enumerate(words):
            if not isinstance(word, str) or not word:
                found = "an empty string" if word == "" else repr(word)
                raise UserError(f"{raw.where}: token {number + 1} is {found}; it must be text.")
        return (
            {"words": words, "tags": [self._tag(t, raw) for t in tags], "lost": []}
            | self._place(raw),
            _NOTHING_LOST,
        )

    def classification(self, raw: RawRow, *, multi_label: bool) -> Read:
        """Return {text, text_pair, labels, document, id, where}; labels None: unlabelled."""
        text, label = self._value(raw, "text"), self._value(raw, "label")
        if self._data.drop_missing and (_is_blank(text) or _is_blank(label)):
            return None, _DROPPED
        if not isinstance(text, str):
            raise UserError(f"{raw.where}: the text is {text!r}; it must be a string.")
        if not text.strip():
            raise UserError(
                f"{raw.where}: the text is empty. Leave such rows out with data.drop_missing=true."
            )
        row = {
            "text": text,
            "text_pair": _text_or_none(self._value(raw, "text_pair")),
            "labels": self._labels(label, raw, multi_label),
        }
        return row | self._place(raw), _NOTHING_LOST

    def _has_spans(self, raw: RawRow) -> bool:
        """Tell character spans from tags: by the recipe, else by the columns there are."""
        given = self._data.columns
        if self._data.format == "spans" or "spans" in given:
            return True
        if "tags" in given or "tokens" in given:
            return False
        values = raw.values
        tagged = any(name in values for name in CANDIDATES["tokens"]) and any(
            isinstance(values.get(name), list | str) for name in CANDIDATES["tags"]
        )
        return not tagged and self._found(raw, "spans") and self._found(raw, "text")

    def _from_spans(self, raw: RawRow) -> Read:
        text = self._value(raw, "text")
        if self._data.drop_missing and _is_blank(text):
            return None, _DROPPED
        if not isinstance(text, str):
            raise UserError(f"{raw.where}: the text is {text!r}; it must be a string.")
        value = self._value(raw, "spans")
        if value is None:
            raise UserError(
                f"{raw.where}: there are no character spans. Found: {', '.join(raw.values)}. Name "
                "their column with data.columns.spans=COLUMN; a text without entities has []."
            )
        self.reads_spans = True
        spans = read_spans(value, raw.where)
        aligned = to_words(text, spans, where=raw.where, data=self._data)
        if not aligned.words:
            return None, _DROPPED
        row = {"words": aligned.words, "tags": aligned.tags, "lost": aligned.lost}
        return row | self._place(raw), aligned.losses

    def _place(self, raw: RawRow) -> dict[str, Any]:
        return {
            "document": _text_or_none(self._value(raw, "document")),
            "id": _text_or_none(self._value(raw, "id")),
            "where": raw.where,
        }

    def _labels(self, value: Any, raw: RawRow, multi_label: bool) -> list[str] | None:
        hidden = isinstance(value, int) and not isinstance(value, bool) and value == -1
        if value is None or hidden:
            return None  # the Hub's convention for a hidden test label is -1
        if not multi_label:
            if isinstance(value, list) and len(value) == 1:
                return [self._name(value[0], raw)]  # doccano's way
            if isinstance(value, list):
                raise UserError(
                    f"{raw.where}: the label is a list, {value!r}. Set task.multi_label=true if "
                    "a text may have several labels."
                )
            return [self._name(value, raw)]
        if isinstance(value, str):
            value = [part for part in value.split(self._data.label_separator) if part.strip()]
        return sorted({self._name(label, raw) for label in _listed(value, raw, "label")})

    def _tag(self, value: Any, raw: RawRow) -> str:
        known = self._known.get(value) if isinstance(value, str) else None
        if known is None:
            known = self._checked_tag(value, raw)
            if isinstance(value, str):
                self._known[value] = known
        return known

    def _checked_tag(self, value: Any, raw: RawRow) -> str:
        tag = self._name(value, raw)
        if self._names is None and tag.lstrip("-").isdecimal():
            raise UserError(
                f"{raw.where}: the tag {tag} is a number without a name. Name the numbers in "
                "their order with data.label_names=[O, B-PER, I-PER, ...]."
            )
        return tag

    def _name(self, value: Any, raw: RawRow) -> str:
        given = self._data.label_names
        if given and isinstance(value, str):
            text = value.strip()  # CSV and CoNLL files hold their numbers as text
            if text.lstrip("-").isdecimal() and text not in given:
                value = int(text)
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # a table with gaps keeps its integers as fractions
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str):
            return _checked_name(value.strip(), raw)
        if not isinstance(value, int):
            raise UserError(
                f"{raw.where}: the label is {value!r}; a label is a name or a whole number."
            )
        if self._names is None:
            return str(value)
        if not 0 <= value < len(self._names):
            raise UserError(
                f"{raw.where}: label number {value} has no name; there are {len(self._names)} "
                f"(0 to {len(self._names) - 1}). Check data.label_names."
            )
        return self._names[value]

    def _found(self, raw: RawRow, role: Column) -> bool:
        return role in self._data.columns or any(name in raw.values for name in CANDIDATES[role])

    def _value(self, raw: RawRow, role: Column) -> Any:
        wanted = self._data.columns.get(role)
        values = raw.values
        if wanted is not None and str(wanted) in values:
            return values[str(wanted)]
        if wanted is not None and role in values and isinstance(wanted, int):
            return values[role]  # CoNLL columns have numbers: the reader has applied them
        if wanted is not None:
            raise UserError(
                f"data.columns.{role}: there is no column {wanted!r} in {raw.where}. "
                f"Found: {', '.join(values)}.{nearest(str(wanted), list(values))}"
            )
        for candidate in CANDIDATES[role]:
            if candidate in values:
                return values[candidate]
        if role in _OPTIONAL:
            return None
        hint = " If the file has no header: data.header=false" if _TABLE.search(raw.where) else ""
        raise UserError(
            f"{raw.where}: no column looks like {role}. Found: {', '.join(values)}. "
            f"Name it with data.columns.{role}=COLUMN.{hint}"
        )


def _checked_name(name: str, raw: RawRow) -> str:
    if not name:
        raise UserError(
            f"{raw.where}: the label is empty. Leave such rows out with data.drop_missing=true."
        )
    if any(unicodedata.category(char) == "Cc" for char in name):
        raise UserError(f"{raw.where}: the label {name!r} holds a line break or control character.")
    return name


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _listed(value: Any, raw: RawRow, role: str) -> list[Any]:
    """Take a list as it is; a string of a table's field is cut at blanks."""
    if isinstance(value, str):
        return value.split(" ") if value else []
    if isinstance(value, list | tuple):
        return list(value)
    raise UserError(f"{raw.where}: {role} is {value!r}; it must be a list.")


def _text_or_none(value: Any) -> str | None:
    return None if value is None else str(value)
