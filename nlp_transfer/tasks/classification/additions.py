"""Texts in, training texts out, labelled by a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.items import Item
from nlp_transfer.data.words import Splitter
from nlp_transfer.records import Prediction, Row
from nlp_transfer.tasks.classification.decoding import Classification

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class ClassificationAdditions:
    """Texts that a model has labelled."""

    multi_label: bool

    @property
    def has_confidence(self) -> bool:
        """Any number of labels has no one probability."""
        return not self.multi_label

    def unlabelled(self, item: Item, split: Splitter) -> dict[str, Any]:
        """Take the text of an item, and its second one."""
        return {"text": item.as_text(), "text_pair": item.text_pair}

    def words(self, row: Row) -> dict[str, list[str]]:
        """Split both texts at white space."""
        return {column: row[column].split() for column in ("text", "text_pair") if row[column]}

    def joined(self, words: Mapping[str, list[str]]) -> dict[str, Any]:
        """Join words by blanks."""
        return {column: " ".join(of_column) for column, of_column in words.items()}

    def labelled(self, row: Row, prediction: Prediction) -> dict[str, Any]:
        """Give a text the predicted labels."""
        assert isinstance(prediction, Classification)
        return {**row, "labels": list(prediction.labels)}

    def confidence(self, prediction: Prediction) -> float:
        """Return the probability of the label; 0 for a text of none of the classes."""
        assert isinstance(prediction, Classification)
        return max(prediction.scores.values()) if prediction.labels else 0.0

    def classes(self, row: Row) -> set[str | None]:
        return set(row["labels"])


@dataclass(frozen=True)
class ClassificationTextLabels:
    """Texts of a class."""

    def are_single(self, rows: Dataset) -> bool:
        """Tell texts from pairs of them."""
        return bool(rows.data["text_pair"].null_count == len(rows.data))

    def row(self, text: str, label: str) -> dict[str, Any]:
        """Make a text of one class, that stands in no file."""
        return {"text": text, "text_pair": None, "labels": [label], "where": f"the name {label}"}
