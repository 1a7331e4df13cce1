"""Runs that are stopped or watched, through the hooks that PyTorch offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NoReturn

import torch
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

Weights = dict[str, torch.Tensor]


def stop() -> NoReturn:
    """End a run as Ctrl-C does."""
    raise KeyboardInterrupt


@contextmanager
def interrupted(*, at_step: int = 0, by: Callable[[], None] = stop) -> Iterator[None]:
    """Stop training when so many steps are learned, in the middle of the next."""
    steps = count()
    handle = register_optimizer_step_pre_hook(lambda *_: by() if next(steps) == at_step else None)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def interrupted_forward(
    *, at_call: int | None = 0, by: Callable[[], None] = stop
) -> Iterator[list[None]]:
    """Stop when a model has computed so many times and is to do so again; list the times."""
    calls: list[None] = []

    def count_or_stop(module: torch.nn.Module, _: Any) -> None:
        if getattr(module, "base_model", module) is module:
            return  # has no head, so is only a part
        if len(calls) == at_call:
            by()
        calls.append(None)

    handle = register_module_forward_pre_hook(count_or_stop)
    try:
        yield calls
    finally:
        handle.remove()


@contextmanager
def watched_weights() -> Iterator[list[Weights]]:
    """Collect the weights of the model in training: those at its start, then those of each step."""
    seen: list[Weights] = []
    models: list[torch.nn.Module] = []

    def note_model(module: torch.nn.Module, _: Any) -> None:
        if module.training and not models:
            models.append(module)  # the outermost is called first

    def keep(*_: Any) -> None:
        seen.append({name: value.clone() for name, value in models[0].state_dict().items()})

    handles = [
        register_module_forward_pre_hook(note_model),
        register_optimizer_step_pre_hook(lambda *_: None if seen else keep()),
        register_optimizer_step_post_hook(keep),
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
