"""One raw row of any source in, one row in the project's own columns out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from nlp_transfer.data.label_values import WHOLE, LabelReader
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.spans import read_spans, to_words
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
        self.labels = LabelReader(data, label_names)
        self.reads_spans = False
        """Tags were made from character spans, so they are IOB2 whatever the recipe says."""
        self._known: dict[str, str] = {}  # few tags, said over and over

    def ner(self, raw: RawRow) -> Read:
        """Return {words, tags, lost, document, id, where}; tags are in the source's own scheme."""
        if self._is_rejected(raw):
            return None, _DROPPED
        if self._has_spans(raw):
            return self._from_spans(raw)
        words, tags = self._value(raw, "tokens"), self._value(raw, "tags")
        if self._data.drop_missing and (words is None or tags is None):
            return None, _DROPPED
        words, tags = _listed(words, raw, "tokens"), _listed(tags, raw, "tags")
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
        if self._is_rejected(raw):
            return None, _DROPPED
        text, label = self._value(raw, "text"), self._value(raw, "label")
        # Several labels may be none: an empty field says so.
        unknown = self.labels.is_hidden(label) or (_is_blank(label) and not multi_label)
        if self._data.drop_missing and (_is_blank(text) or unknown):
            return None, _DROPPED
        first = checked_text(text, raw.where)
        if first is None or not first.strip():
            found = "empty" if first is not None else f"{text!r}, so there is none"
            raise UserError(
                f"{raw.where}: the text is {found}. Leave such rows out with "
                "data.drop_missing=true."
            )
        second = checked_text(self._value(raw, "text_pair"), raw.where)
        read = self.labels.several if multi_label else self.labels.one
        row = {
            "text": first,
            "text_pair": second if second and second.strip() else None,
            "labels": read(label, raw.where),
        }
        return row | self._place(raw), _NOTHING_LOST

    def _is_rejected(self, raw: RawRow) -> bool:
        """Tell a row of which Prodigy's annotator said that it is wrong, or of no use."""
        is_column = "answer" in map(str, self._data.columns.values())
        return not is_column and str(raw.values.get("answer")).lower() in _NO_ANSWER

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
        has_spans = self._found(raw, "spans") or _is_prodigys(raw)
        return not tagged and has_spans and self._found(raw, "text")

    def _from_spans(self, raw: RawRow) -> Read:
        text, value = self._value(raw, "text"), self._value(raw, "spans")
        if value is None and _is_prodigys(raw):
            value = []
        if self._data.drop_missing and (_is_blank(text) or value is None):
            return None, _DROPPED
        if not isinstance(text, str):
            raise UserError(f"{raw.where}: the text is {text!r}; it must be a string.")
        if value is None:
            raise UserError(
                f"{raw.where}: there are no character spans. Found: "
                f"{shortened(list(raw.values))}. Name their column with "
                "data.columns.spans=COLUMN; a text without entities has [], and texts that are "
                "not annotated are left out with data.drop_missing=true."
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

    def _tag(self, value: Any, raw: RawRow) -> str:
        known = self._known.get(value) if isinstance(value, str) else None
        if known is None:
            known = self._checked_tag(value, raw)
            if isinstance(value, str):
                self._known[value] = known
        return known

    def _checked_tag(self, value: Any, raw: RawRow) -> str:
        tag = self.labels.name(value, raw.where)
        if not self.labels.has_names and WHOLE.fullmatch(tag):
            raise UserError(
                f"{raw.where}: the tag {tag} is a number without a name. Name the numbers in "
                "their order with data.label_names=[O, B-PER, I-PER, ...]."
            )
        return tag

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


def checked_text(value: Any, where: str) -> str | None:
    """Take a string as it is; None and NaN, by which tables say that there is none, as None.

    raises: UserError for anything else: a number would be read as what it is not
    """
    if _is_missing(value):
        return None
    if not isinstance(value, str):
        raise UserError(
            f"{where}: the text is {str(value)[:60]!s} ({type(value).__name__}); it must be a "
            "string. Put it in quotes, or name another column."
        )
    return value


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_blank(value: Any) -> bool:
    return _is_missing(value) or (isinstance(value, str) and not value.strip())


def _is_prodigys(raw: RawRow) -> bool:
    """Tell a row of Prodigy's, which has no spans where its text has no entities."""
    tokens = raw.values.get("tokens")
    has_tokens = isinstance(tokens, list) and any(isinstance(token, dict) for token in tokens)
    return has_tokens or raw.values.get("answer") == "accept"


def _listed(value: Any, raw: RawRow, role: str) -> list[Any]:
    """Take a list as it is; a string of a table's field is cut at blanks."""
    if isinstance(value, str):
        return value.split(" ") if value else []
    if isinstance(value, list | tuple):
        return list(value)
    raise UserError(f"{raw.where}: {role} is {value!r}; it must be a list.")


def _text_or_none(value: Any) -> str | None:
    return None if _is_missing(value) else str(value)
