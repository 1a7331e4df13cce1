"""Tagged sentences, gold and predicted, in; the figures of NER out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

from nlp_transfer.records import Prediction, Tagging
from nlp_transfer.tasks.base import only_answer

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class NerScores:
    """Entity figures, partial credit, and the table of the tags."""

    headline: ClassVar[str] = "entity F1"

    def headline_figure(self, rows: Dataset, predictions: Sequence[Prediction]) -> float:
        """Return strict entity F1."""
        from nlp_transfer.metrics.entities import entity_f1

        return entity_f1(rows["tags"], _tags(predictions), lost=_lost(rows))

    def figures(
        self, rows: Dataset, predictions: Sequence[Prediction], *, samples: int
    ) -> dict[str, Any]:
        """Return the entity, partial-credit and token-level tables."""
        from nlp_transfer.metrics.entities import entity_figures
        from nlp_transfer.metrics.labels import label_figures

        gold, predicted = list(rows["tags"]), _tags(predictions)
        entities = entity_figures(gold, predicted, lost=_lost(rows), samples=samples)
        return {**entities.as_dict(), "token": label_figures(gold, predicted).as_dict("per_tag")}

    def constant_answer(self, rows: Dataset, predictions: Sequence[Prediction]) -> str | None:
        """Name the tag that every word has, mostly O."""
        gold = chain.from_iterable(rows["tags"])
        answer = only_answer(gold, chain.from_iterable(_tags(predictions)))
        return answer and f"{answer} for every word"


def _tags(predictions: Sequence[Prediction]) -> list[tuple[str, ...]]:
    return [prediction.tags for prediction in predictions if isinstance(prediction, Tagging)]


def _lost(rows: Dataset) -> list[list[str]]:
    """List the types of the gold entities of each row that its words cannot hold."""
    return list(rows["lost"]) if "lost" in rows.column_names else []
