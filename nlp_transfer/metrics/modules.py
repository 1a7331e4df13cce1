"""The scorers as `evaluate` modules, constructed as classes: `evaluate.load` needs the network."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate

from nlp_transfer.metrics.entities import entity_figures
from nlp_transfer.metrics.labels import label_figures

_TAGS = datasets.Features(
    {
        "predictions": datasets.Sequence(datasets.Value("string")),
        "references": datasets.Sequence(datasets.Value("string")),
    }
)


class EntityScores(evaluate.Metric):
    """Entity, partial-credit and token-level scores of IOB2 tags.

    >>> EntityScores().compute(predictions=[["B-PER"]], references=[["B-PER"]])["overall"]["f1"]
    1.0
    """

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Strict entity scores over words (CoNLL), with a bootstrap interval.",
            citation="Tjong Kim Sang and De Meulder 2003",
            features=_TAGS,
        )

    def _compute(
        self, predictions: list[list[str]], references: list[list[str]], samples: int = 1000
    ) -> dict[str, Any]:
        figures = entity_figures(references, predictions, samples=samples).as_dict()
        token = label_figures(references, predictions)
        return {**figures.pop("entity"), **figures, "token": token.as_dict("per_tag")}
