"""Two steps of a run in, what the whole would take out: time, memory, disk."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers import TrainerCallback

from nlp_transfer.models.build import count_new
from nlp_transfer.runs.disk import disk_bytes
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.training.examples import TaskWindows, of_all, summary
from nlp_transfer.training.fitting import Fitted

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


def estimate(
    tasks: Sequence[TaskWindows], fitted: Fitted, clock: StepClock, folder: RunFolder
) -> dict[str, Any]:
    """Say what a run does, and what it would take.

    fitted:  after STEPS steps
    returns: counts, estimated seconds, bytes of memory and disk
    """
    recipe, trainer = tasks[0].recipe, fitted.trainer
    accumulated = trainer.args.gradient_accumulation_steps
    steps_an_epoch = len(trainer.get_train_dataloader()) // accumulated
    wanted = int(recipe.training.arguments.get("max_steps", -1))
    steps = wanted if wanted > 0 else round(steps_an_epoch * recipe.training.epochs)
    return {
        **of_all(tasks, summary),
        "checkpoint": recipe.model.checkpoint,
        "strategies": [strategy.name for strategy in recipe.strategies],
        **fitted.parameters,
        "new_parameters": count_new(fitted.loaded),
        "steps": steps,
        "tokens_per_batch": recipe.training.tokens_per_batch,
        "precision": trainer.precision,
        "world_size": trainer.args.world_size,
        "estimated_seconds": round((clock.times[-1] - clock.times[-2]) * steps, 1),
        "peak_memory_bytes": _peak_memory(),
        "disk_bytes": disk_bytes(**fitted.parameters, tasks=len(tasks)),
        "output": str(folder.path),
    }


def _peak_memory() -> int:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
