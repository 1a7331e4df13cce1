"""Tagged sentences, gold and predicted, in; the figures of NER out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

from nlp_transfer.metrics.figures import (
    COLUMNS,
    EntityFigures,
    Headline,
    LabelFigures,
    Score,
    best_and_worst,
    percent,
)
from nlp_transfer.records import Prediction
from nlp_transfer.shown import Table
from nlp_transfer.tasks.faces import only_answer
from nlp_transfer.tasks.ner.decoding import Tagging

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class NerFigures:
    """Scores of entities, and of the tags of words."""

    entities: EntityFigures
    token: LabelFigures

    @property
    def headline(self) -> Headline:
        """Entity F1 of all types."""
        return NerScores.read_headline(self.entities.overall.as_dict())

    @property
    def per_label(self) -> Mapping[str, Score]:
        """Entities, type by type."""
        return self.entities.per_type

    def tables(self) -> Sequence[Table]:
        """Show entities, partial credit and tags."""
        entities, matches = self.entities, self.entities.partial_credit
        per_type = [score.cells(name) for name, score in entities.per_type.items()]
        return (
            Table(
                "Entities",
                ("type", *COLUMNS),
                (*per_type, entities.overall.cells("overall")),
                "Strict CoNLL scores: an entity counts only if its type and all its words are "
                "right.",
            ),
            Table(
                "Partial credit",
                ("match", *COLUMNS[:3]),
                tuple(score.cells(name)[:4] for name, score in matches.items()),
                "strict: borders and type; exact: borders; partial: an overlap counts half; "
                "type: type of an overlap.",
            ),
            Table(
                "Words, tag by tag",
                ("tag", *COLUMNS),
                tuple(self.token.cells()),
                "NOT the CoNLL figure: every word counts, O too. Do not compare these with entity "
                "F1.",
            ),
        )

    def in_words(self) -> str:
        """Say how many entities are found, and how much of what is marked is right."""
        overall = self.entities.overall
        if not overall.support:
            return "There are no gold entities in it."
        found = (
            f"{percent(overall.recall)} of its {overall.support:,} entities are found with the "
            f"right words and type, and {percent(overall.precision)} of what is marked is right."
        )
        return f"{found} {best_and_worst(self.entities.per_type)}".strip()

    def compared(self) -> Sequence[tuple[str, str, float]]:
        """Choose the three figures of all entities."""
        overall = self.entities.overall
        return (
            ("precision", "entity precision (strict)", overall.precision),
            ("recall", "entity recall (strict)", overall.recall),
            ("f1", "entity F1 (strict)", overall.f1),
        )

    def as_dict(self) -> dict[str, Any]:
        return {**self.entities.as_dict(), "token": self.token.as_dict("per_tag")}


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
    ) -> NerFigures:
        from nlp_transfer.metrics.entities import entity_figures
        from nlp_transfer.metrics.labels import label_figures

        gold, predicted = list(rows["tags"]), _tags(predictions)
        entities = entity_figures(gold, predicted, lost=_lost(rows), samples=samples)
        return NerFigures(entities, label_figures(gold, predicted))

    def read(self, figures: Mapping[str, Any]) -> NerFigures:
        token = LabelFigures.read(figures["token"], "per_tag")
        return NerFigures(EntityFigures.read(figures), token)

    @staticmethod
    def read_headline(line: Mapping[str, Any]) -> Headline:
        return Headline.read(NerScores.headline, "f1", line)

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
