"""What transformers' own pipeline finds in a sentence in, what of it is right out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nlp_transfer.data.tags import spans_of_any
from nlp_transfer.metrics.outcomes import Judgement
from nlp_transfer.tasks.ner.judge import counts_by_type
from nlp_transfer.tasks.ner.results import joined_offsets
from nlp_transfer.tasks.optional import Line


@dataclass(frozen=True)
class NerStock:
    """The pipeline reads raw text, and takes each piece or word by itself."""

    aggregation: Literal["first", "average"]
    """How the pieces of a word come to one label: average where all of them have learned it."""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Join the pieces of words, and the words of entities."""
        return {"aggregation_strategy": self.aggregation}

    def text(self, line: Line) -> str:
        """Join the words by blanks."""
        return " ".join(_texts(line, "tokens"))

    def judge(self, line: Line, found: Any) -> Judgement:
        """Count entities of which type, first and last character are right.

        found: a list of {entity_group, start, end}
        """
        offsets = joined_offsets(_texts(line, "tokens"))
        gold = {
            (kind, offsets[first][0], offsets[last][1])
            for kind, first, last in spans_of_any(_texts(line, "gold"))
        }
        entities = {(one["entity_group"], one["start"], one["end"]) for one in found}
        lost = _texts(line, "lost") if "lost" in line else []
        return Judgement(counts_by_type(gold, entities, lost), gold == entities and not lost)


def _texts(line: Line, key: str) -> list[str]:
    texts = line[key]
    assert isinstance(texts, list)
    return texts
