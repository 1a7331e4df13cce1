"""One raw row of any source in, one labelled text out."""

from __future__ import annotations

from nlp_transfer.data.columns import (
    DROPPED,
    NOTHING_LOST,
    ColumnReader,
    Read,
    checked_text,
    is_blank,
)
from nlp_transfer.data.raw import RawRow
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.tasks.classification.labels import ClassReader


class TextReader(ColumnReader):
    """Reads a text, or a pair of texts, and its label or labels.

    names: what integer labels stand for, by the source
    """

    def __init__(
        self, data: DataSection, names: tuple[str, ...] | None = None, *, multi_label: bool
    ) -> None:
        super().__init__(data)
        self.labels = ClassReader(data, names)
        self._multi_label = multi_label

    def read(self, raw: RawRow) -> Read:
        """Return {text, text_pair, labels, document, id, where}; labels None: unlabelled."""
        if self.is_rejected(raw):
            return None, DROPPED
        text, label = self.value(raw, "text"), self.value(raw, "label")
        # Several labels may be none: an empty field says so.
        unknown = self.labels.is_hidden(label) or (is_blank(label) and not self._multi_label)
        if self.data.drop_missing and (is_blank(text) or unknown):
            return None, DROPPED
        first = checked_text(text, raw.where)
        if first is None or not first.strip():
            found = "empty" if first is not None else f"{text!r}, so there is none"
            raise UserError(
                f"{raw.where}: the text is {found}. Leave such rows out with "
                "data.drop_missing=true."
            )
        second = checked_text(self.value(raw, "text_pair"), raw.where)
        read = self.labels.several if self._multi_label else self.labels.one
        row = {
            "text": first,
            "text_pair": second if second and second.strip() else None,
            "labels": read(label, raw.where),
        }
        return row | self.place(raw), NOTHING_LOST
