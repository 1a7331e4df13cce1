"""One raw row of any source in, one row in the project's own columns out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nlp_transfer.errors import UserError, nearest
from nlp_transfer.recipe import DataSection

# Names by which columns are known when the recipe does not name them, the surest first.
CANDIDATES = {
    "tokens": ("tokens", "words"),
    "tags": ("tags", "ner_tags", "labels"),
    "text": ("text", "sentence", "utterance", "content"),
    "text_pair": ("text_pair",),
    "label": ("label", "labels", "category", "intent", "class"),
    "document": ("document", "document_id", "doc_id"),
}
_OPTIONAL = ("text_pair", "document")


class RowReader:
    """Reads raw rows by the recipe's columns; every error names the row's place."""

    def __init__(self, data: DataSection, label_names: tuple[str, ...] | None) -> None:
        self._columns = data.columns
        self._separator = data.label_separator
        self._given_names = data.label_names
        self._names = data.label_names or label_names

    def ner(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return {words, tags, document}; tags are text in the source's own scheme."""
        words = _listed(self._value(raw, "tokens"), raw, "tokens")
        tags = _listed(self._value(raw, "tags"), raw, "tags")
        if len(words) != len(tags):
            raise UserError(
                f"{raw['where']}: {len(words)} tokens but {len(tags)} tags; each token has one tag."
            )
        return {
            "words": [str(word) for word in words],
            "tags": [self._tag(tag, raw) for tag in tags],
            "document": _text_or_none(self._value(raw, "document")),
        }

    def classification(self, raw: Mapping[str, Any], *, multi_label: bool) -> dict[str, Any]:
        """Return {text, text_pair, labels, document}; labels is None for an unlabelled row."""
        text = self._value(raw, "text")
        if not isinstance(text, str):
            raise UserError(f"{raw['where']}: the text is {text!r}; it must be a string.")
        return {
            "text": text,
            "text_pair": _text_or_none(self._value(raw, "text_pair")),
            "labels": self._labels(raw, multi_label),
            "document": _text_or_none(self._value(raw, "document")),
        }

    def _labels(self, raw: Mapping[str, Any], multi_label: bool) -> list[str] | None:
        value = self._value(raw, "label")
        if value is None or (isinstance(value, int) and value < 0):
            return None  # the Hub's convention for a hidden test label is -1
        if not multi_label:
            if isinstance(value, list):
                raise UserError(
                    f"{raw['where']}: the label is a list, {value!r}. Set task.multi_label=true if "
                    "a text may have several labels."
                )
            return [self._name(value, raw)]
        if isinstance(value, str):
            value = [part for part in value.split(self._separator) if part.strip()]
        return sorted({self._name(label, raw) for label in _listed(value, raw, "label")})

    def _tag(self, value: Any, raw: Mapping[str, Any]) -> str:
        tag = self._name(value, raw)
        if self._names is None and tag.isdecimal():
            raise UserError(
                f"{raw['where']}: the tag {tag} is a number without a name. Name the numbers in "
                "their order with data.label_names=[O, B-PER, I-PER, ...]."
            )
        return tag

    def _name(self, value: Any, raw: Mapping[str, Any]) -> str:
        if self._given_names and isinstance(value, str):
            text = value.strip()  # CSV and CoNLL files hold their numbers as text
            if text.isdecimal() and text not in self._given_names:
                value = int(text)
        if isinstance(value, bool) or not isinstance(value, int):
            name = str(value).strip()
            if not name:
                raise UserError(f"{raw['where']}: the label is empty.")
            return name
        if self._names is None:
            return str(value)
        if not 0 <= value < len(self._names):
            raise UserError(
                f"{raw['where']}: label number {value} has no name; there are {len(self._names)} "
                f"(0 to {len(self._names) - 1}). Check data.label_names."
            )
        return self._names[value]

    def _value(self, raw: Mapping[str, Any], role: str) -> Any:
        wanted = self._columns.get(role)  # type: ignore[call-overload]
        if wanted is not None and str(wanted) in raw:
            return raw[str(wanted)]
        if wanted is not None and role in raw and isinstance(wanted, int):
            return raw[role]  # CoNLL columns have numbers: the reader has applied them
        found = [column for column in raw if column != "where"]
        if wanted is not None:
            raise UserError(
                f"data.columns.{role}: there is no column {wanted!r} in {raw['where']}. "
                f"Found: {', '.join(found)}.{nearest(str(wanted), found)}"
            )
        for candidate in CANDIDATES[role]:
            if candidate in raw:
                return raw[candidate]
        if role in _OPTIONAL:
            return None
        raise UserError(
            f"{raw['where']}: no column looks like {role}. Found: {', '.join(found)}. "
            f"Name it with data.columns.{role}=COLUMN."
        )


def _listed(value: Any, raw: Mapping[str, Any], role: str) -> list[Any]:
    """Take a list as it is; a string of a table's field is cut at blanks."""
    if isinstance(value, str):
        return value.split(" ") if value else []
    if isinstance(value, list | tuple):
        return list(value)
    raise UserError(f"{raw['where']}: {role} is {value!r}; it must be a list.")


def _text_or_none(value: Any) -> str | None:
    return None if value is None else str(value)
