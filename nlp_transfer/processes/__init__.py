"""The processes of one run: who writes, and waiting for one another."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

ToldT = TypeVar("ToldT")

TIMEOUT_MINUTES = 30.0
"""How long one process waits for another, unless a recipe says otherwise; as long as in torch."""
_minutes = ContextVar("minutes", default=TIMEOUT_MINUTES)
"""How long one process waits for another, of a group that is yet to be made."""

OF_LAUNCHER = "TORCHELASTIC_RUN_ID"
"""An environment variable that torchrun and `accelerate launch` set for what they start."""


def was_launched() -> bool:
    """Tell whether this process was started by a launcher of torch, which watches over it."""
    return OF_LAUNCHER in os.environ


def is_main_process() -> bool:
    """Tell whether this process is the one that writes; true for a run of one process."""
    return rank() == 0


def rank() -> int:
    """Return the number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Return the number of processes of this run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def connect(minutes: float, *, cpu: bool, backend: str | None = None) -> None:
    """Connect the processes, where they are not, so that none waits longer for another.

    On GPUs `TrainingArguments` does it; on CPUs it would leave out the time.
    """
    _minutes.set(minutes)
    if world_size() == 1 or not cpu:
        return
    from accelerate import PartialState

    PartialState(cpu=True, backend=backend, timeout=timedelta(minutes=minutes))


def wait_for_all() -> None:
    """Wait until every process has come here; from the first time on each has its own device."""
    if world_size() == 1:
        return
    import torch
    from accelerate import PartialState

    PartialState(cpu=not torch.accelerator.is_available()).wait_for_everyone()


def greatest(value: int) -> int:
    """Return the greatest of the values that all processes give, without waiting for a GPU."""
    if world_size() == 1:
        return value
    import torch
    from torch import distributed

    told = torch.tensor(value)
    distributed.all_reduce(told, op=distributed.ReduceOp.MAX, group=on_cpus())
    return int(told)


def told_by_main(value: ToldT) -> ToldT:
    """Return what the main process gives; what others give is not read."""
    if world_size() == 1:
        return value
    from torch import distributed

    told = [value]
    distributed.broadcast_object_list(told, src=0, group=on_cpus())
    return told[0]


@cache
def on_cpus() -> Any:
    """Return the group of all processes, connected without their GPUs."""
    return on_cpus_of(None)


def on_cpus_of(ranks: Sequence[int] | None) -> Any:
    """Connect some processes, None: all, without their GPUs; to be called by all processes."""
    from torch import distributed

    wait = timedelta(minutes=_minutes.get())
    return distributed.new_group(None if ranks is None else [*ranks], wait, "gloo")
