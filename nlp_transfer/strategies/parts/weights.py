"""Arithmetic of whole models: state dicts in, their weighted sum out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import PreTrainedModel

from nlp_transfer.errors import UserError
from nlp_transfer.files import whole_path
from nlp_transfer.models.architecture import output_layer

if TYPE_CHECKING:
    from nlp_transfer.models.build import LoadedModel

Weights = Mapping[str, torch.Tensor]
"""Parameters and buffers by name, as `state_dict` gives them, whatever their shapes."""


def weighted_sum(parts: Sequence[Weights], shares: Sequence[float]) -> dict[str, torch.Tensor]:
    """Add up models, each times its share, in float64; integer buffers are those of the first.

    parts:  of the same names and shapes
    shares: one a part; a part whose share is 0 does not count, so 1 and 0 give a part bit by bit
    """
    counted = [(part, share) for part, share in zip(parts, shares, strict=True) if share]
    total = {}
    for name, first in counted[0][0].items():
        if not first.is_floating_point():
            total[name] = first.clone()
            continue
        tensors = (part[name].to("cpu", torch.float64) * share for part, share in counted)
        total[name] = reduce(torch.add, tensors).to(first.dtype)
    return total


def mean(parts: Sequence[Weights]) -> dict[str, torch.Tensor]:
    """Average models of the same names and shapes."""
    return weighted_sum(parts, [1 / len(parts)] * len(parts))


def copy_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """Copy the weights of a model to main memory."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def write_weights(weights: Weights, path: Path, **notes: object) -> None:
    """Write a safetensors file, whole or not at all.

    notes: values kept in the file's metadata, as text
    """
    with whole_path(path) as temporary:
        save_file(dict(weights), temporary, metadata={name: str(n) for name, n in notes.items()})


def check_same_architecture(first: LoadedModel, second: LoadedModel, names: str) -> None:
    """Refuse two models whose weights differ in name or shape, or that read other pieces.

    names: how a message calls the two
    """
    ours, theirs = (
        {name: tuple(tensor.shape) for name, tensor in loaded.model.state_dict().items()}
        for loaded in (first, second)
    )
    differing = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    if differing:
        name = differing[0]
        raise UserError(
            f"{names} are not of one architecture: {len(differing)} weights differ, first "
            f"{name}: {ours.get(name, 'missing')} and {theirs.get(name, 'missing')}."
        )
    if first.tokenizer.get_vocab() != second.tokenizer.get_vocab():
        raise UserError(f"{names} do not have the same tokenizer: their vocabularies differ.")


def in_label_order(
    model: PreTrainedModel, labels: Sequence[str], wanted: Sequence[str]
) -> dict[str, torch.Tensor]:
    """Copy the weights of a model, the rows of its output layer moved to another label order."""
    weights = copy_weights(model)
    rows = [labels.index(label) for label in wanted]
    for name in (f"{output_layer(model)}.weight", f"{output_layer(model)}.bias"):
        if name in weights:
            weights[name] = weights[name][rows]
    return weights
