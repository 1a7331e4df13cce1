"""A model in, the same model for a while, with what PyTorch computes slowly on a CPU made faster.

Measured parts of a bf16 training step of all-MiniLM-L6-v2, 2,048 pieces at a time, before: random
numbers of dropout 19 % (row_dropout.py), attention 12 %, page faults 15 %, casts between fp32 and
bf16 8 %.

Whatever is changed of a model, of transformers or of the process is changed in a `with` block, and
undone at its end; `training.fast_cpu: false` in a recipe turns all of it off.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager
from functools import cache, partial
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask

_ATTENTION = "nlpt_cpu"
_KEPT_PRODUCTS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "512", "LRU_CACHE_CAPACITY": "512"}


@contextlib.contextmanager
def sped_up(model: Any, *, enabled: bool = True) -> Iterator[None]:
    """Let a model that computes on a CPU compute faster; others, and with `enabled` off, as before.

    Nothing of it is saved with the model. Values differ by rounding.
    Blocks may lie in one another; the outermost undoes all but this: PyTorch's matrix library reads
    how much code it may keep at its first product, so what that was in a block stays.
    """
    computes = isinstance(model, nn.Module) and next(model.parameters()).device.type == "cpu"
    if not (enabled and computes):
        yield
        return
    with _in_effect("process", _prepared), _in_effect(id(model), partial(_changed, model)):
        yield


@contextlib.contextmanager
def offered(name: str, attention: Callable[..., Any], mask: Callable[..., Any]) -> Iterator[None]:
    """Let models of this process choose an attention of ours by its name.

    attention, mask: as transformers calls them
    """
    AttentionInterface.register(name, attention)
    AttentionMaskInterface.register(name, mask)
    try:
        yield
    finally:
        for interface in (AttentionInterface, AttentionMaskInterface):
            del interface._global_mapping[name]  # which has no public way out


@contextlib.contextmanager
def _prepared() -> Iterator[None]:
    """Let models of this process choose our attention, and keep code for fewer matrix products."""
    # oneDNN keeps code for the last 1,024 shapes that it met, and so does PyTorch's layer above it,
    # even what oneDNN has let go: each 0.2 MB a shape.
    ours = _KEPT_PRODUCTS.keys() - os.environ.keys()
    os.environ.update({name: _KEPT_PRODUCTS[name] for name in ours})
    try:
        with offered(_ATTENTION, attend, eager_mask):
            yield
    finally:
        for name in ours:
            del os.environ[name]


@contextlib.contextmanager
def _changed(model: nn.Module) -> Iterator[None]:
    """Let the modules of a model compute in our way."""
    with contextlib.ExitStack() as undo:
        for name, module in model.named_modules():
            if name.rpartition(".")[2] == "embeddings":
                undo.callback(module.register_forward_hook(_as_autocast).remove)
        undo.enter_context(attending_by(model, _ATTENTION))
        yield


@contextlib.contextmanager
def attending_by(model: nn.Module, attention: str) -> Iterator[None]:
    """Let the parts of a model whose attention is PyTorch's fused one compute it another way.

    attention: a name that transformers knows
    """
    with contextlib.ExitStack() as undo:
        for module in model.modules():
            if isinstance(module, PreTrainedModel) and _uses_fused_attention(module):
                module.set_attn_implementation(attention)
                undo.callback(module.set_attn_implementation, "sdpa")
        yield


_Change = AbstractContextManager[None]
_open: dict[Hashable, tuple[int, _Change]] = {}
_changing = threading.Lock()


@contextlib.contextmanager
def _in_effect(what: Hashable, change: Callable[[], _Change]) -> Iterator[None]:
    """Keep a change in effect: the first of several blocks makes it, the last to end undoes it."""
    with _changing:
        blocks, context = _open.get(what, (0, change()))
        if not blocks:
            context.__enter__()
        _open[what] = (blocks + 1, context)
    try:
        yield
    finally:
        with _changing:
            blocks, context = _open.pop(what)
            if blocks > 1:
                _open[what] = (blocks - 1, context)
            else:
                context.__exit__(None, None, None)


def _as_autocast(_: nn.Module, __: Any, output: Any) -> Any:
    """Let the layers above compute in bf16 throughout, instead of casting to and fro each time."""
    if torch.is_autocast_enabled("cpu") and isinstance(output, torch.Tensor):
        return output.to(torch.get_autocast_dtype("cpu"))
    return output


def _uses_fused_attention(model: PreTrainedModel) -> bool:
    is_fused: bool = model.config._attn_implementation == "sdpa"
    return is_fused and bool(model._can_set_attn_implementation())


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as Vaswani et al. 2017 write it: for lengths of sentences PyTorch's own is slower.

    query, key, value: (batch, heads, pieces, size)
    attention_mask:    added to the scores, (batch, 1, pieces, pieces)
    returns:           (batch, pieces, heads, size)
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = torch.matmul(query * scale, key.transpose(2, 3))
    if attention_mask is not None:
        # Cast as it is, the lowest fp32 would be -inf, and a row of nothing else would become NaN.
        lowest = torch.finfo(scores.dtype).min
        scores = scores + attention_mask.clamp(min=lowest).to(scores.dtype)
    shares = scores.softmax(dim=-1)
    if dropout:
        shares = nn.functional.dropout(shares, dropout)
    return torch.matmul(shares, value).transpose(1, 2).contiguous(), None


# Parameters of mallopt, from malloc.h of the GNU C library.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_MB = 2**20


@contextlib.contextmanager
def memory_kept(*, enabled: bool = True) -> Iterator[None]:
    """Keep freed memory instead of returning it at every step, to be faulted in again at the next.

    Does nothing without the GNU C library. That does not tell its settings: at the end they are
    what its own rise to, and no longer rise or fall by themselves.
    """
    library = _gnu_c_library()
    if library is None or not enabled:
        yield
        return
    for parameter, size in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 64 * _MB)):
        library.mallopt(parameter, size)
    try:
        yield
    finally:
        # What the library's own thresholds rise to when large blocks are freed.
        for parameter, size in (
            (_MMAP_MAX, 65536),
            (_MMAP_THRESHOLD, 32 * _MB),
            (_TRIM_THRESHOLD, 64 * _MB),
            (_TOP_PAD, 128 * 1024),
        ):
            library.mallopt(parameter, size)
        return_memory()


def return_memory() -> None:
    """Return memory that was freed between blocks in use; a long job would only grow otherwise."""
    library = _gnu_c_library()
    if library is not None:
        library.malloc_trim(0)


@cache
def _gnu_c_library() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
