"""Items in, rows of words out; tagged words in, entities as JSON out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from nlp_transfer.data.items import Item
from nlp_transfer.data.tags import spans
from nlp_transfer.data.words import Splitter
from nlp_transfer.records import CardFacts, Prediction, Row
from nlp_transfer.tasks.ner.decoding import Tagging


@dataclass(frozen=True)
class NerResults:
    """Words with their tags, and the entities that these make."""

    keys: ClassVar[tuple[str, ...]] = ("text", "tokens", "tags", "entities")
    word_lists: ClassVar[bool] = True
    card: ClassVar[CardFacts] = CardFacts(
        "token-classification",
        "This model finds entities in text and tells their type.",
        "Entity types",
        "AutoModelForTokenClassification",
        "it takes the likeliest sequence of tags, not each word's likeliest tag, and does not cut\n"
        "words at punctuation.",
    )

    def row(self, item: Item, split: Splitter) -> dict[str, Any]:
        """Take the words of an item, or split its text: {words, document}, {text, offsets}."""
        document = {"document": item.document}
        if item.tokens is not None:
            return {"words": item.tokens, **document}
        text = item.as_text()
        words = split(text)
        return {
            "text": text,
            "words": [word.text for word in words],
            "offsets": [(word.start, word.end) for word in words],
            **document,
        }

    def result(self, row: Row, prediction: Prediction) -> dict[str, Any]:
        """Write {text and tokens, or tokens, tags, entities}; offsets count code points."""
        assert isinstance(prediction, Tagging)
        entities = _entities(row["words"], prediction)
        offsets = row.get("offsets") or joined_offsets(row["words"])
        text = row.get("text", " ".join(row["words"]))
        for entity in entities:
            start = offsets[entity["start_word"]][0]
            end = offsets[entity["end_word"] - 1][1]
            entity.update({"start": start, "end": end, "text": text[start:end]})
        shown = {"text": text} if "text" in row else {}
        return {
            **shown,
            "tokens": row["words"],
            "tags": list(prediction.tags),
            "entities": entities,
        }

    def example(self, row: Row, prediction: Prediction) -> dict[str, Any]:
        """Describe a sentence with its gold and predicted tags and entities.

        lost: types of gold entities that its words cannot hold, where there are any
        """
        assert isinstance(prediction, Tagging)
        lost, where = row.get("lost"), row.get("where")
        return {
            "tokens": row["words"],
            "gold": row["tags"],
            "tags": list(prediction.tags),
            "entities": _entities(row["words"], prediction),
            **({"lost": lost} if lost else {}),
            **({"where": where} if where else {}),
        }


def _entities(words: Sequence[str], tagging: Tagging) -> list[dict[str, Any]]:
    """List the entities of a tagged sentence.

    start_word, end_word: word indexes, the end exclusive
    score:                probability of the whole entity with its type, 0 to 1
    """
    return [
        {
            "type": span.type,
            "start_word": span.first,
            "end_word": span.last + 1,
            "text": " ".join(words[span.first : span.last + 1]),
            "score": score,
        }
        for span, score in zip(spans(tagging.tags), tagging.entity_scores, strict=True)
    ]


def joined_offsets(words: Sequence[str]) -> list[tuple[int, int]]:
    """Give words without a text the offsets they have when joined by single blanks."""
    offsets, start = [], 0
    for word in words:
        offsets.append((start, start + len(word)))
        start += len(word) + 1
    return offsets
