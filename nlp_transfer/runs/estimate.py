"""Two steps of a run in, what the whole would take out: time, memory, disk."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from transformers import TrainerCallback

from nlp_transfer.models.build import count_new
from nlp_transfer.runs.disk import disk_bytes
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.training.examples import TaskWindows
from nlp_transfer.training.fitting import Fitted
from nlp_transfer.training.sizes import DataSizes, data_sizes

STEPS = 2
"""The first warms up: allocation and kernel selection. The second is a typical one."""


class StepClock(TrainerCallback):
    """Notes when each step ends."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_begin(self, *_: object, **__: object) -> None:
        """Note when the first step begins."""
        if not self.times:
            self.times.append(time.monotonic())

    def on_step_end(self, *_: object, **__: object) -> None:
        """Note when a step ends."""
        self.times.append(time.monotonic())


@dataclass(frozen=True)
class Estimate:
    """What a run does, and what it would take."""

    data: DataSizes
    checkpoint: str
    strategies: tuple[str, ...]
    trainable_parameters: int
    total_parameters: int
    new_parameters: int
    """How many start at random."""
    steps: int
    tokens_per_batch: int
    precision: str
    world_size: int
    """How many processes share a step."""
    estimated_seconds: float
    peak_memory_bytes: int
    """Of the steps that were tried."""
    disk_bytes: int
    """While it trains."""
    output: str
    """The run folder."""

    def as_dict(self) -> dict[str, Any]:
        own = {each.name: getattr(self, each.name) for each in fields(self)[1:]}
        return {**self.data.as_dict(), **own, "strategies": list(self.strategies)}


def estimate(
    tasks: Sequence[TaskWindows], fitted: Fitted, clock: StepClock, folder: RunFolder
) -> Estimate:
    """Say what a run does, and what it would take.

    fitted: after STEPS steps
    """
    recipe, trainer = tasks[0].recipe, fitted.trainer
    accumulated = trainer.args.gradient_accumulation_steps
    steps_an_epoch = len(trainer.get_train_dataloader()) // accumulated
    wanted = int(recipe.training.arguments.get("max_steps", -1))
    steps = wanted if wanted > 0 else round(steps_an_epoch * recipe.training.epochs)
    if not clock.times:  # all that is learned is fitted at once
        steps = 0
    a_step = clock.times[-1] - clock.times[-2] if steps else 0.0
    return Estimate(
        data=data_sizes(tasks),
        checkpoint=recipe.model.checkpoint,
        strategies=tuple(strategy.name for strategy in recipe.strategies),
        **fitted.parameters,
        new_parameters=count_new(fitted.loaded),
        steps=steps,
        tokens_per_batch=recipe.training.tokens_per_batch,
        precision=trainer.precision,
        world_size=trainer.args.world_size,
        estimated_seconds=round(trainer.clock.heads_seconds + a_step * steps, 1),
        peak_memory_bytes=_peak_memory(),
        disk_bytes=disk_bytes(**fitted.parameters, tasks=len(tasks)),
        output=str(folder.path),
    )


def _peak_memory() -> int:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
