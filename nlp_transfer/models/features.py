"""A classifier in, the same for a while with what it knows of a text behind its logits out.

Behind the logits of a window stand their energy (the logarithm of the sum of their exponentials),
and where it lies in the model's own space: the mean of the last hidden states of its pieces, scaled
to length 1. Every encoder has these, whatever its head reads: a readout gets them, and passes on
others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from nlp_transfer.models.architecture import encoder, readout_name, without_adapter

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers.utils import ModelOutput


@contextlib.contextmanager
def features_behind_logits(model: Any) -> Iterator[None]:
    """Let a model return (windows, labels + 1 + hidden) logits, as it is or as ONNX.

    It has to be called with keywords, attention_mask among them.
    """
    import torch
    from torch import nn

    if not isinstance(model, nn.Module):  # an exported one
        with model.features_behind_logits():
            yield
        return
    states: list[torch.Tensor] = []

    def keep(_: nn.Module, __: tuple[Any, ...], output: ModelOutput) -> None:
        states[:] = [output[0]]

    def keep_below(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        states[:] = inputs[:1]

    def append(
        _: nn.Module, __: tuple[Any, ...], inputs: Mapping[str, torch.Tensor], outputs: ModelOutput
    ) -> ModelOutput:
        logits = outputs["logits"].float()
        parts = (logits, features_of(logits, states.pop(), inputs["attention_mask"]))
        outputs["logits"] = torch.cat(parts, dim=-1)
        return outputs

    readout = readout_name(model)
    hooks = (
        encoder(model).register_forward_hook(keep)
        if readout is None
        else without_adapter(model).get_submodule(readout).register_forward_pre_hook(keep_below),
        model.register_forward_hook(append, with_kwargs=True),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def reading(layer: nn.Module, read: list[torch.Tensor]) -> AbstractContextManager[object]:
    """Return a context in which all that a layer reads is appended to a list."""
    return layer.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))


def features_of(
    logits: torch.Tensor, states: torch.Tensor, attention_mask: torch.Tensor
) -> torch.Tensor:
    """Return the energy and the place of windows.

    logits:         (windows, labels)
    states:         (windows, pieces, hidden); virtual tokens of a prompt may stand before these
    attention_mask: (windows, pieces) 0 or 1
    returns:        (windows, 1 + hidden) float32
    """
    import torch

    mask = attention_mask.unsqueeze(-1).float()
    of_pieces = states[:, -attention_mask.shape[1] :].float()
    mean = (of_pieces * mask).sum(1) / mask.sum(1)
    energy = logits.float().logsumexp(dim=-1, keepdim=True)
    return torch.cat((energy, torch.nn.functional.normalize(mean, dim=-1)), dim=-1)
