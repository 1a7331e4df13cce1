"""A model and examples in, what its users get of it by transformers' own pipeline out."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.metrics.outcomes import Outcomes
from nlp_transfer.models.damage import quiet_transformers
from nlp_transfer.models.loading import ADAPTER_FILE
from nlp_transfer.publish.use import StockFigure
from nlp_transfer.tasks.optional import Line, Stock

log = logging.getLogger(__name__)

_MOST_EXAMPLES = 2_000
"""More are drawn from: a pipeline takes a minute for so many long texts."""
_BATCH = 16


def measure_stock(
    predictor: Predictor, folder: Path, lines: Sequence[Line], *, split: str
) -> StockFigure | None:
    """Let transformers' pipeline answer the examples of a split as raw text, and score it.

    folder:  of the whole model, or of the adapter, that the predictor holds
    lines:   as predictions.jsonl has them
    returns: None where the task has no pipeline or no F1, or the pipeline fails
    """
    stock, judge = predictor.task.stock, predictor.task.judge
    if stock is None or judge is None or not lines:
        return None
    drawn = random.Random(0).sample(lines, min(len(lines), _MOST_EXAMPLES))
    try:
        found = _answers(predictor, folder, stock, [stock.text(line) for line in drawn])
    except Exception as error:  # whatever it is: who uses the model so will meet it
        log.warning("transformers' own pipeline fails on the %s split: %s", split, error)
        return None
    figure = predictor.task.scores.headline
    stocks = (stock.judge(line, answer) for line, answer in zip(drawn, found, strict=True))
    owns = (judge.judge(line, "") for line in drawn)
    value, own = (Outcomes.of(figure, judge.average, judged).value for judged in (stocks, owns))
    return StockFigure(figure, value, own, split, len(drawn), len(lines))


def _answers(
    predictor: Predictor, folder: Path, stock: Stock, texts: Sequence[str | dict[str, str]]
) -> list[Any]:
    """Call the pipeline, on texts of like length together."""
    from transformers import pipeline

    order = sorted(range(len(texts)), key=lambda number: len(str(texts[number])))
    with quiet_transformers():
        model = pipeline(
            predictor.task.results.card.pipeline_tag,
            **_model(predictor, folder),
            **stock.arguments,
        )
        found = model([texts[number] for number in order], batch_size=_BATCH)
    by_number = dict(zip(order, found, strict=True))
    return [by_number[number] for number in range(len(texts))]


def _model(predictor: Predictor, folder: Path) -> dict[str, Any]:
    """Name the folder of a whole model; an adapter is on its base already."""
    if not (folder / ADAPTER_FILE).is_file():
        return {"model": str(folder)}
    return {"model": predictor.loaded.model, "tokenizer": predictor.loaded.tokenizer}
