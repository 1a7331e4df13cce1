"""A model and its export in, how alike they predict and how fast each is out."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.tables import iterate
from nlp_transfer.errors import UserError
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.records import Prediction, Tagging

if TYPE_CHECKING:
    from datasets import Dataset

_TIMED = 256  # examples
_TURNS = 3


def compare(model: Predictor, exported: Predictor, rows: Dataset) -> dict[str, Any]:
    """Let both predict the same examples: PyTorch in fp32, and for its speed as it would by itself.

    returns: counts, agreement (a share of words or texts), F1 of both, sentences or texts a second
    """
    exact, _ = replace(model, precision="fp32").predict_split(rows)
    found, _ = exported.predict_split(rows)
    answers = zip(_answers(exact), _answers(found), strict=True)
    same = [ours == theirs for ours, theirs in answers]
    before, after = (model.task.headline_figure(rows, given) for given in (exact, found))
    speeds = _speeds([model, exported], rows.select(range(min(_TIMED, len(rows)))))
    return {
        "examples": len(rows),
        "compared": len(same),
        "agreement": sum(same) / len(same) if same else 1.0,
        "f1": {"torch": before, "onnx": after, "change": after - before},
        "examples_per_second": {
            "torch": speeds[0],
            "torch_precision": model.precision,
            "torch_device": model.loaded.model.device.type,
            "onnx": speeds[1],
            "ratio": speeds[1] / speeds[0],
        },
    }


def check(parity: dict[str, Any], *, min_agreement: float, max_f1_drop: float) -> None:
    """Refuse an export that predicts otherwise than its model.

    raises: UserError with the figure and its bound
    """
    if parity["agreement"] < min_agreement:
        raise UserError(
            f"The export is not kept: only {parity['agreement']:.4f} of its predictions are those "
            f"of the model, less than {min_agreement:g} (--min-agreement). Export without "
            "--quantize, or lower the bound."
        )
    if parity["f1"]["change"] < -max_f1_drop:
        raise UserError(
            f"The export is not kept: F1 falls from {parity['f1']['torch']:.4f} to "
            f"{parity['f1']['onnx']:.4f}, by more than {max_f1_drop:g} (--max-f1-drop). Export "
            "without --quantize, or raise the bound."
        )


def _answers(predictions: Iterable[Prediction]) -> Iterator[Any]:
    """Go through what is compared: the tag of every word, or the labels of every text."""
    for prediction in predictions:
        yield from prediction.tags if isinstance(prediction, Tagging) else [prediction.labels]


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
