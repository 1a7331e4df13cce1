"""Texts in, training sentences out, tagged by a model or by spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from nlp_transfer.data.items import Item
from nlp_transfer.data.tags import Span, spans, tags_over
from nlp_transfer.data.words import Splitter
from nlp_transfer.records import Prediction, Row
from nlp_transfer.tasks.ner.decoding import Tagging


@dataclass(frozen=True)
class NerAdditions:
    """Sentences that a model has tagged."""

    has_confidence: ClassVar[bool] = True

    def unlabelled(self, item: Item, split: Splitter) -> dict[str, Any]:
        """Take the words of an item, or split its text."""
        if item.tokens is not None:
            return {"words": item.tokens}
        return {"words": [word.text for word in split(item.as_text())]}

    def words(self, row: Row) -> dict[str, list[str]]:
        return {"words": row["words"]}

    def joined(self, words: Mapping[str, list[str]]) -> dict[str, Any]:
        return dict(words)

    def labelled(self, row: Row, prediction: Prediction) -> dict[str, Any]:
        """Give a sentence the predicted tags."""
        assert isinstance(prediction, Tagging)
        return _tagged(row, list(prediction.tags))

    def confidence(self, prediction: Prediction) -> float:
        """Return the probability of the least sure word's tag."""
        assert isinstance(prediction, Tagging)
        return min(prediction.scores)

    def classes(self, row: Row) -> set[str | None]:
        """List the entity types of a sentence."""
        return {span.type for span in spans(row["tags"])} or {None}


@dataclass(frozen=True)
class NerSpanRows:
    """Sentences whose entities are spans of their words."""

    def words(self, row: Row) -> Sequence[str]:
        words: Sequence[str] = row["words"]
        return words

    def labelled(self, row: Row, spans: Sequence[Span]) -> dict[str, Any]:
        """Tag the spans."""
        return _tagged(row, tags_over(len(row["words"]), spans))


def _tagged(row: Row, tags: list[str]) -> dict[str, Any]:
    """Label a sentence, all of whose entities its words can hold."""
    return {**row, "tags": tags, "lost": []}
