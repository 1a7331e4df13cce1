"""Windows in; what the output layer of a model reads at each labelled item of them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from nlp_transfer.inference.engine import check_outputs, suitable_tokens, token_batches
from nlp_transfer.inference.precision import autocast
from nlp_transfer.models.features import reading
from nlp_transfer.tasks.objective import labelled_items

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn
    from transformers import PreTrainedModel

    from nlp_transfer.tasks.base import Task
    from nlp_transfer.tasks.faces import WindowRow


class ItemInputs(NamedTuple):
    """What the output layer reads at the labelled items of a window."""

    inputs: NDArray[np.float32]
    """(items, width)"""
    labels: NDArray[np.int64]
    """(items,) label ids; or (items, labels) 0 or 1 where each label is a yes or no."""


def output_inputs(
    model: PreTrainedModel,
    layer: nn.Module,
    task: Task,
    windows: Sequence[WindowRow],
    *,
    number: int,
    pad_id: int,
    precision: str,
    fast_cpu: bool,
) -> list[ItemInputs]:
    """Read along at the output layer while a model without dropout computes windows.

    layer:  that gives the logits of the task
    number: of the task, where the model answers for several; 0: its own
    raises: NotFiniteError where the model computes no numbers
    """
    import torch

    from nlp_transfer.models.fast_cpu import sped_up

    read: list[torch.Tensor] = []
    found: list[Any] = [None] * len(windows)
    was_training = model.training
    model.eval()
    on = sped_up(model, enabled=fast_cpu)
    with on, torch.no_grad(), autocast(model.device.type, precision), reading(layer, read):
        for batch in token_batches(windows, suitable_tokens(model)):
            rows = [windows[i] for i in batch.windows]
            inputs = task.windows.collate(rows, pad_id, batch.length)
            labels = inputs.pop("labels")
            if number:
                inputs["task"] = torch.full((len(rows),), number)
            model(**{name: tensor.to(model.device) for name, tensor in inputs.items()})
            states = read.pop().float().cpu()
            for i, of_window in zip(batch.windows, _by_window(states, labels), strict=True):
                found[i] = of_window
    model.train(was_training)
    check_outputs(of_window.inputs for of_window in found)
    return found


def _by_window(states: torch.Tensor, labels: torch.Tensor) -> list[ItemInputs]:
    """Keep the items of a batch that have a label; both as `labelled_items` has them."""
    return [
        ItemInputs(state[known].numpy(), label[known].numpy())
        for state, label, known in zip(*labelled_items(states, labels), strict=True)
    ]
