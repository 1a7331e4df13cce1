"""One raw row of any source in, one tagged sentence out."""

from __future__ import annotations

from typing import Any

from nlp_transfer.data.columns import (
    CANDIDATES,
    DROPPED,
    NOTHING_LOST,
    ColumnReader,
    Read,
    is_blank,
)
from nlp_transfer.data.label_values import WHOLE, LabelReader
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.spans import read_spans, to_words
from nlp_transfer.errors import UserError, shortened
from nlp_transfer.recipe import DataSection


class SentenceReader(ColumnReader):
    """Reads words with tags, or a text with character spans.

    names: what integer tags stand for, by the source
    """

    def __init__(self, data: DataSection, names: tuple[str, ...] | None = None) -> None:
        super().__init__(data)
        self._labels = LabelReader(data, names)
        self.reads_spans = False
        """Tags were made from character spans, so they are IOB2 whatever the recipe says."""
        self._known: dict[str, str] = {}  # few tags, said over and over

    def read(self, raw: RawRow) -> Read:
        """Return {words, tags, lost, document, id, where}; tags are in the source's own scheme."""
        if self.is_rejected(raw):
            return None, DROPPED
        if self.has_spans(raw):
            return self._from_spans(raw)
        words, tags = self.value(raw, "tokens"), self.value(raw, "tags")
        if self.data.drop_missing and (words is None or tags is None):
            return None, DROPPED
        words, tags = _listed(words, raw, "tokens"), _listed(tags, raw, "tags")
        if len(words) != len(tags):
            raise UserError(
                f"{raw.where}: {len(words)} tokens but {len(tags)} tags; each token has one tag."
            )
        if not words:
            return None, DROPPED
        for number, word in enumerate(words):
            if not isinstance(word, str) or not word:
                found = "an empty string" if word == "" else repr(word)
                raise UserError(f"{raw.where}: token {number + 1} is {found}; it must be text.")
        return (
            {"words": words, "tags": [self._tag(t, raw) for t in tags], "lost": []}
            | self.place(raw),
            NOTHING_LOST,
        )

    def has_spans(self, raw: RawRow) -> bool:
        """Tell character spans from tags: by the recipe, else by the columns there are."""
        given = self.data.columns
        if self.data.format == "spans" or "spans" in given:
            return True
        if "tags" in given or "tokens" in given:
            return False
        values = raw.values
        tagged = any(name in values for name in CANDIDATES["tokens"]) and any(
            isinstance(values.get(name), list | str) for name in CANDIDATES["tags"]
        )
        has_spans = self.found(raw, "spans") or _is_prodigys(raw)
        return not tagged and has_spans and self.found(raw, "text")

    def _from_spans(self, raw: RawRow) -> Read:
        text, value = self.value(raw, "text"), self.value(raw, "spans")
        if value is None and _is_prodigys(raw):
            value = []
        if self.data.drop_missing and (is_blank(text) or value is None):
            return None, DROPPED
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
        aligned = to_words(text, spans, where=raw.where, data=self.data)
        if not aligned.words:
            return None, DROPPED
        row = {"words": aligned.words, "tags": aligned.tags, "lost": aligned.lost}
        return row | self.place(raw), aligned.losses

    def _tag(self, value: Any, raw: RawRow) -> str:
        known = self._known.get(value) if isinstance(value, str) else None
        if known is None:
            known = self._checked_tag(value, raw)
            if isinstance(value, str):
                self._known[value] = known
        return known

    def _checked_tag(self, value: Any, raw: RawRow) -> str:
        tag = self._labels.name(value, raw.where)
        if not self._labels.has_names and WHOLE.fullmatch(tag):
            raise UserError(
                f"{raw.where}: the tag {tag} is a number without a name. Name the numbers in "
                "their order with data.label_names=[O, B-PER, I-PER, ...]."
            )
        return tag


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
