"""Examples in, what a model that stays as it is makes of their labelled words or texts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.inference.engine import check_outputs, suitable_tokens, token_batches
from nlp_transfer.inference.hidden_states import hidden_states
from nlp_transfer.models.architecture import output_labels
from nlp_transfer.tasks.objective import IGNORED

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

    from nlp_transfer.models.build import LoadedModel
    from nlp_transfer.recipe import ModelSection
    from nlp_transfer.tasks.base import Task
    from nlp_transfer.tasks.faces import WindowRow


@dataclass(frozen=True)
class Items:
    """Labelled words, or texts, as a model sees them."""

    features: NDArray[np.float32]
    """(items, hidden)"""
    labels: NDArray[np.bool_]
    """(items, labels): which of the model's outputs are right."""
    examples: NDArray[np.int64]
    """(items,): number of the example that each belongs to."""


def read_items(
    loaded: LoadedModel,
    task: Task,
    rows: Dataset,
    options: ModelSection,
    *,
    precision: str,
    fast_cpu: bool,
) -> Items:
    """Compute the features of labelled items: the mean of the hidden states of all layers.

    A word's are those of its first piece; a window of a text is an item, whose features are the
    mean over its pieces.

    precision: "bf16", "fp16" or "fp32"
    """
    model, outputs = loaded.model, output_labels(loaded.model.config)
    encoded = task.windows.encode(iterate(rows), loaded.tokenizer, model.config.label2id, options)
    windows = [
        {**window, "example": number} for number, (own, _) in enumerate(encoded) for window in own
    ]
    features: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(windows)
    for batch in token_batches(windows, suitable_tokens(model)):
        own = [windows[n] for n in batch.windows]
        inputs = task.windows.collate(own, loaded.tokenizer.pad_token_id, batch.length)
        placed = {name: tensor.to(model.device) for name, tensor in inputs.items()}
        states = hidden_states(model, placed, precision=precision, fast_cpu=fast_cpu)
        for number, of_window in zip(batch.windows, _mean(states), strict=True):
            features[number] = _of_items(windows[number], of_window)
    check_outputs(features)
    named = [_labels(task, window, outputs) for window in windows]
    return Items(
        np.concatenate(features),
        np.array([[label in names for label in outputs] for own in named for names in own]),
        np.repeat([window["example"] for window in windows], [len(own) for own in named]),
    )


def _mean(states: Sequence[torch.Tensor]) -> torch.Tensor:
    """Average hidden states over the layers; those of some layers of Funnel are of fewer pieces.

    states:  (windows, pieces, hidden) each
    returns: (windows, pieces, hidden) float32, on the CPU
    """
    alike = [state.float() for state in states if state.shape == states[-1].shape]
    return (sum(alike[1:], alike[0]) / len(alike)).cpu()


def _of_items(window: WindowRow, states: torch.Tensor) -> NDArray[np.float32]:
    """Choose what stands for the labelled items of a window, (pieces, hidden): (items, hidden)."""
    if "positions" not in window:
        own = states[: len(window["input_ids"])].mean(dim=0, keepdim=True)
    else:
        pairs = zip(window["positions"], window["labels"], strict=True)
        own = states[[position for position, label in pairs if label != IGNORED]]
    found: NDArray[np.float32] = own.numpy()
    return found


def _labels(task: Task, window: WindowRow, outputs: Sequence[str]) -> list[list[str]]:
    """List the labels of each labelled item of a window: one of a word, any number of a text."""
    names = task.head.classes_of(window, outputs)
    return [[name] for name in names] if "positions" in window else [names]
