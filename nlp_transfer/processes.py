"""The processes of one run: who writes, and waiting for one another."""

from __future__ import annotations

import os
from functools import cache
from typing import Any


def is_main_process() -> bool:
    """Tell whether this process is the one that writes; true for a run of one process."""
    return rank() == 0


def rank() -> int:
    """Return the number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Return the number of processes of this run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


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
    distributed.all_reduce(told, op=distributed.ReduceOp.MAX, group=_on_cpus())
    return int(told)


@cache
def _on_cpus() -> Any:
    from torch import distributed

    return distributed.new_group(backend="gloo")
