"""What an engine is held against: transformers' own pipeline, and what the machine can multiply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.records import Row

if TYPE_CHECKING:
    import torch

BATCHES = (1, 32)
_SIDE = 2048
PEAK_FLOPS = 2 * _SIDE**3
"""Operations of the one matrix product that the peak is measured by."""


def pipelines(model: Predictor, rows: Sequence[Row]) -> dict[int, Callable[[], object]]:
    """Return what predicts rows by transformers' pipeline, by its size of batch.

    model:   computed by PyTorch in fp32, as the pipeline does
    returns: nothing where the task has no pipeline
    """
    from transformers import pipeline

    stock = model.task.stock
    if stock is None:
        return {}
    predict = pipeline(
        model.task.results.card.pipeline_tag,
        model=model.loaded.model,
        tokenizer=model.loaded.tokenizer,
        device=model.loaded.model.device,
        **stock.arguments,
    )
    result = model.task.results.result
    texts = [stock.text(result(*one)) for one in zip(rows, model.predict(rows), strict=True)]
    return {batch: partial(predict, texts, batch_size=batch) for batch in BATCHES}


def matrix_product(device: str, precision: str) -> Callable[[], torch.Tensor]:
    """Return what multiplies two large matrices: as fast as a machine computes in a precision."""
    import torch

    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    one = torch.randn(_SIDE, _SIDE).to(device, dtype)

    def multiply() -> torch.Tensor:
        product = one @ one
        if one.device.type == "cuda":
            torch.cuda.synchronize()
        return product

    return multiply


def flops_of(model: Predictor, rows: Sequence[Row]) -> float:
    """Count the operations of the matrix products that rows take, padding included."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        for _ in model.predict(rows):
            pass
    return float(counter.get_total_flops())
