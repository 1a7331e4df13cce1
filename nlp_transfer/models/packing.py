"""A model in, the same model for a while, whose layers learn from windows as one row, unpadded.

Between the embeddings and the head the pieces of a batch's windows lie one after the other, and
attention stays within a window. Embeddings and head have the batch as it is, (windows, pieces): so
positions, token types, what a head pools and what strategies take apart are as they are with
padding. On GPUs attention itself computes no padding either, by the kernel that PyTorch's nested
tensors use; elsewhere queries, keys and values are padded for it, and for nothing else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import stack_of
from nlp_transfer.models.fast_cpu import attend, attending_by, offered

FAMILIES = ("albert", "bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta")
"""Types of models whose layers read nothing but hidden states and a mask that attention alone
reads: each is compared with itself, padded, in the tests."""
_ATTENTION = "nlpt_packed"
_WIDEST_HEAD = 256
"""Of Flash Attention; a head's width is a multiple of 8, too."""


_Attention = Callable[..., tuple[torch.Tensor, torch.Tensor | None]]
_Mask = Callable[..., torch.Tensor | None]


@dataclass(frozen=True)
class Packing:
    """Which places of a padded batch hold pieces; it goes to the layers in place of their mask."""

    mask: torch.Tensor
    """(windows, longest), whether a piece is there."""
    padded_mask: Callable[[], torch.Tensor | None]
    """Makes the mask of a padded batch, as attention on this device reads it."""

    @cached_property
    def index(self) -> torch.Tensor | None:
        """Say where the pieces are, (pieces,), in the order of the row; None: everywhere."""
        index = self.mask.flatten().nonzero()[:, 0]  # a GPU is waited for here, once a batch
        return index if len(index) < self.mask.numel() else None

    @cached_property
    def bounds(self) -> torch.Tensor:
        """Say where each window begins in the row, and where the last one ends, (windows + 1,)."""
        ends = self.mask.sum(dim=1).cumsum(dim=0, dtype=torch.int32)
        return nn.functional.pad(ends, (1, 0))

    @cached_property
    def attention_mask(self) -> torch.Tensor | None:
        """Return the mask of the padded batch."""
        return self.padded_mask()

    def packed(self, padded: torch.Tensor) -> torch.Tensor:
        """Take the pieces out of a batch: (windows, longest, ...) to (1, pieces, ...)."""
        rows = padded.flatten(0, 1)
        return (rows if self.index is None else rows.index_select(0, self.index)).unsqueeze(0)

    def padded(self, packed: torch.Tensor) -> torch.Tensor:
        """Put pieces back into a batch, zeros elsewhere: the reverse of `packed`."""
        rows = packed[0]
        if self.index is not None:
            empty = rows.new_zeros(self.mask.numel(), *rows.shape[1:])
            rows = empty.index_copy(0, self.index, rows)
        return rows.reshape(*self.mask.shape, *rows.shape[1:])


def check_packable(model: PreTrainedModel, attention: str) -> None:
    """Refuse a model that learns with padding only.

    attention: `model.attention` of the recipe
    raises:    UserError
    """
    key = "training.padding is false"
    family = model.config.model_type
    if family not in FAMILIES:
        raise UserError(
            f"{key}, but a {family!r} model computes its attention with padding only. Leave "
            f"training.padding out, or take a checkpoint of another family ({', '.join(FAMILIES)})."
        )
    if attention != "auto":
        raise UserError(
            f"{key}, which has an attention of its own, but model.attention is {attention}. Leave "
            "one of them out."
        )


@contextlib.contextmanager
def packed_layers(model: nn.Module, *, enabled: bool = True) -> Iterator[None]:
    """Let the layers of a model compute no padding where it learns; without gradients as before.

    To be entered before anything else changes how attention is computed.

    model: of a family that `check_packable` lets pass; an adapter may be around it
    """
    if not enabled:
        yield
        return
    name, _ = stack_of(model)
    layers = model.get_submodule(name.rpartition(".")[0])  # what runs them one after the other
    with contextlib.ExitStack() as undo:
        undo.enter_context(offered(_ATTENTION, _attention, _mask))
        undo.enter_context(attending_by(model, _ATTENTION))
        undo.callback(layers.register_forward_pre_hook(_pack, with_kwargs=True).remove)
        undo.callback(layers.register_forward_hook(_unpack, with_kwargs=True).remove)
        yield


def _pack(
    _: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    packing = _packing_in(arguments, named)
    if packing is None:
        return None
    if arguments:
        return (packing.packed(arguments[0]), *arguments[1:]), named
    return arguments, {**named, "hidden_states": packing.packed(named["hidden_states"])}


def _unpack(_: nn.Module, arguments: tuple[Any, ...], named: Mapping[str, Any], output: Any) -> Any:
    packing = _packing_in(arguments, named)
    if packing is not None:
        output.last_hidden_state = packing.padded(output.last_hidden_state)
    return output


def _packing_in(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Packing | None:
    values = (*arguments, *named.values())
    return next((value for value in values if isinstance(value, Packing)), None)


def _mask(
    *, attention_mask: torch.Tensor | None, q_length: int, kv_length: int, **asked: Any
) -> Packing | torch.Tensor | None:
    """Make what the layers get as their mask, as transformers asks for it.

    attention_mask: (windows, pieces), True where a piece is
    """
    make: _Mask = eager_mask if torch.device(asked["device"]).type == "cpu" else sdpa_mask
    lengths = {"q_length": q_length, "kv_length": kv_length}
    padded = partial(make, attention_mask=attention_mask, **lengths, **asked)
    if attention_mask is None or q_length != kv_length or not torch.is_grad_enabled():
        return padded()
    return Packing(attention_mask, padded)


def _attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Packing | torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **others: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Attend within each window.

    query, key, value: (1, heads, pieces, size), or (windows, heads, pieces, size) with padding
    returns:           (1, pieces, heads, size), or (windows, pieces, heads, size)
    """
    others |= {"scaling": scaling, "dropout": dropout}
    if not isinstance(attention_mask, Packing):
        return _padded_attention(module, query, key, value, attention_mask, **others)
    rows = [tensor.transpose(1, 2) for tensor in (query, key, value)]
    if _in_kernel(query):
        return _varlen(rows, attention_mask, scaling, dropout), None
    padded = [attention_mask.padded(tensor).transpose(1, 2) for tensor in rows]
    states, _ = _padded_attention(module, *padded, attention_mask.attention_mask, **others)
    return attention_mask.packed(states), None


def _padded_attention(
    module: nn.Module, query: torch.Tensor, *arguments: Any, **named: Any
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Attend as a model does that learns with padding on this device."""
    attention: _Attention = attend if query.device.type == "cpu" else sdpa_attention_forward
    return attention(module, query, *arguments, **named)


def _in_kernel(query: torch.Tensor) -> bool:
    """Tell whether Flash Attention of PyTorch computes these."""
    if query.device.type != "cuda" or torch.version.hip:
        return False
    size = query.shape[-1]
    is_half = query.dtype in (torch.float16, torch.bfloat16)
    fits = is_half and size % 8 == 0 and size <= _WIDEST_HEAD
    return fits and torch.cuda.get_device_capability(query.device) >= (8, 0)


def _varlen(
    rows: list[torch.Tensor], packing: Packing, scaling: float | None, dropout: float
) -> torch.Tensor:
    """Attend by the kernel for windows of different lengths.

    PyTorch's function for it, torch.nn.attention.varlen.varlen_attn, knows no dropout; the operator
    that it calls, and nested tensors too, does.

    rows: query, key and value, (1, pieces, heads, size)
    """
    query, key, value = (tensor[0] for tensor in rows)
    bounds, longest = packing.bounds, packing.mask.shape[1]
    states: torch.Tensor = torch.ops.aten._flash_attention_forward(
        query, key, value, bounds, bounds, longest, longest, dropout, False, False, scale=scaling
    )[0]
    return states.unsqueeze(0)
