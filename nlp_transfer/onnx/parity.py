"""A model and its export in, how alike they predict and how fast each is out."""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.errors import UserError
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.onnx.record import F1, Parity, Speed
from nlp_transfer.records import Prediction
from nlp_transfer.tasks.base import Task

if TYPE_CHECKING:
    from datasets import Dataset

_TIMED = 256  # examples
_TURNS = 3
_BLOCKS = 20

log = logging.getLogger(__name__)


def compare(model: Predictor, exported: Predictor, rows: Dataset, *, split: str) -> Parity:
    """Let both predict the same examples: PyTorch in fp32, and for its speed as it would by itself.

    split: the name of the examples
    """
    exact, _ = replace(model, precision="fp32").predict_split(rows)
    found, _ = exported.predict_split(rows)
    same = [
        ours == theirs
        for before, after in zip(exact, found, strict=True)
        for ours, theirs in zip(before.answers, after.answers, strict=True)
    ]
    torch, onnx = _speeds([model, exported], rows.select(range(min(_TIMED, len(rows)))))
    device = model.loaded.model.device.type
    return Parity(
        split=split,
        examples=len(rows),
        compared=len(same),
        agreement=sum(same) / len(same) if same else 1.0,
        f1=_f1(model.task, rows, exact, found),
        examples_per_second=Speed(torch, model.precision, device, onnx, onnx / torch),
    )


def check(parity: Parity, *, min_agreement: float, max_f1_drop: float) -> None:
    """Refuse an export that predicts otherwise than its model.

    raises: UserError with the figure and its bound; a lower F1 that may be chance is logged only
    """
    if parity.agreement < min_agreement:
        raise UserError(
            f"The export is not kept: only {parity.agreement:.4f} of its predictions are those "
            f"of the model, less than {min_agreement:g} (--min-agreement). Export without "
            "--quantize, or lower the bound."
        )
    f1 = parity.f1
    if f1.change >= -max_f1_drop:
        return
    fall = (
        f"F1 falls from {f1.torch:.4f} to {f1.onnx:.4f}, by more than {max_f1_drop:g} "
        f"(--max-f1-drop)"
    )
    if f1.change < -f1.change95:
        raise UserError(
            f"The export is not kept: {fall}. Export without --quantize, or raise the bound."
        )
    log.warning("%s; with so few examples it may be chance: +- %.4f", fall, f1.change95)


def _f1(task: Task, rows: Dataset, before: Sequence[Prediction], after: Sequence[Prediction]) -> F1:
    """Score both predictions, and estimate how sure their difference is.

    source: the grouped jackknife; Efron and Tibshirani 1993, chapter 11
    """

    def scores(numbers: Sequence[int]) -> list[float]:
        chosen = rows.select(numbers)
        return [
            task.scores.headline_figure(chosen, [given[number] for number in numbers])
            for given in (before, after)
        ]

    numbers = range(len(rows))
    blocks = min(_BLOCKS, len(rows))
    changes = []
    for block in range(blocks if blocks > 1 else 0):
        old, new = scores([number for number in numbers if number % blocks != block])
        changes.append(new - old)
    spread = statistics.pstdev(changes) * math.sqrt(blocks - 1) if changes else 1.0
    old, new = scores(numbers)
    return F1(old, new, new - old, 1.96 * spread)


def _speeds(predictors: Sequence[Predictor], rows: Dataset) -> list[float]:
    """Measure in turns, so that whatever else the machine does slows down all alike.

    returns: examples a second of each, the median
    """
    items = list(iterate(rows))
    seconds: list[list[float]] = [[] for _ in predictors]
    for _ in range(_TURNS):
        for predictor, taken in zip(predictors, seconds, strict=True):
            start = time.perf_counter()
            for _prediction in predictor.predict(items):
                pass
            taken.append(time.perf_counter() - start)
    return [len(items) / statistics.median(taken) for taken in seconds]
