"""Items in, texts out; labels and their probabilities as JSON out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nlp_transfer.data.items import Item
from nlp_transfer.data.words import Splitter
from nlp_transfer.records import CardFacts, Prediction, Row
from nlp_transfer.tasks.classification.decoding import Classification


@dataclass(frozen=True)
class ClassificationResults:
    """Texts with their labels, and the probability of each."""

    multi_label: bool

    # With "entities", by which writers tell the other task.
    keys: ClassVar[tuple[str, ...]] = (
        "text", "text_pair", "label", "labels", "score", "scores", "set", "unknown", "entities",
    )  # fmt: skip
    word_lists: ClassVar[bool] = False

    @property
    def card(self) -> CardFacts:
        """Say whether a text may have several labels."""
        does = "gives a text every label that fits it"
        if not self.multi_label:
            does = "puts a text into one of its classes"
        return CardFacts(
            "text-classification",
            f"This model {does}.",
            "Labels",
            "AutoModelForSequenceClassification",
            "it reads long texts to their end, in several windows.",
        )

    def row(self, item: Item, split: Splitter) -> dict[str, Any]:
        """Take the text of an item, and its second one: {text, text_pair}."""
        return {"text": item.as_text(), "text_pair": item.text_pair}

    def result(self, row: Row, prediction: Prediction) -> dict[str, Any]:
        """Write {text, label, score, scores}, or {text, labels, scores} for multi-label tasks.

        A label is None where it is not sure enough, or the text of no class; score is then that of
        the likeliest. Besides: `set`, the labels of which one is right as often as was asked;
        `unknown`, how strange the text is, where the model gives none of its labels beyond 0.
        """
        return {**_texts(row), **self._answer(prediction)}

    def example(self, row: Row, prediction: Prediction) -> dict[str, Any]:
        """Describe a text with its gold and predicted labels."""
        where = {"where": row["where"]} if row.get("where") else {}
        return {**_texts(row), "gold": row["labels"], **self._answer(prediction), **where}

    def _answer(self, prediction: Prediction) -> dict[str, Any]:
        assert isinstance(prediction, Classification)
        scores = dict(prediction.scores)
        if self.multi_label:
            return {"labels": list(prediction.labels), "scores": scores}
        label = next(iter(prediction.labels), None)
        told = {"set": prediction.possible, "unknown": prediction.strangeness}
        beside = {name: value for name, value in told.items() if value is not None}
        return {"label": label, "score": max(scores.values()), "scores": scores, **beside}


def _texts(row: Row) -> dict[str, str]:
    pair = {"text_pair": row["text_pair"]} if row.get("text_pair") is not None else {}
    return {"text": row["text"], **pair}
