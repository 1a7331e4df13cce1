"""Items in, texts out; numbers as JSON out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nlp_transfer.data.items import Item
from nlp_transfer.data.words import Splitter
from nlp_transfer.records import CardFacts, Prediction, Row

from .decoding import Number


@dataclass(frozen=True)
class RegressionResults:
    """Texts with their number."""

    keys: ClassVar[tuple[str, ...]] = ("text", "number")
    word_lists: ClassVar[bool] = False
    card: ClassVar[CardFacts] = CardFacts(
        "text-classification",
        "This model gives a text a number.",
        "Output",
        "AutoModelForSequenceClassification",
    )

    def row(self, item: Item, split: Splitter) -> dict[str, Any]:
        """Take the text of an item."""
        return {"text": item.as_text()}

    def result(self, row: Row, prediction: Prediction) -> dict[str, Any]:
        """Write {text, number}."""
        assert isinstance(prediction, Number)
        return {"text": row["text"], "number": prediction.number}

    def example(self, row: Row, prediction: Prediction) -> dict[str, Any]:
        """Describe a text with its gold and predicted number."""
        return {**self.result(row, prediction), "gold": row["number"]}
