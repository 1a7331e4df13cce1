"""A dry run: two steps in a temporary folder, and what the whole run would cost."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from nlp_transfer.recipe import Recipe
from nlp_transfer.training.arguments import training_arguments
from nlp_transfer.training.material import Material, summary
from nlp_transfer.training.run_folder import RunFolder, disk_bytes
from nlp_transfer.training.train import parameter_counts
from nlp_transfer.training.trainer import build_trainer

_STEPS = 2


class _Clock(TrainerCallback):
    """Notes when each step ends."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        if not self.times:
            self.times.append(time.monotonic())

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.times.append(time.monotonic())


def plan_run(recipe: Recipe[Any, Any], material: Material, folder: RunFolder) -> dict[str, Any]:
    """Run two steps and estimate the rest; nothing is kept.

    returns: counts, estimated seconds, bytes of memory and disk
    """
    loaded = material.loaded
    counts = parameter_counts(loaded.model)
    with tempfile.TemporaryDirectory() as temporary:
        args = training_arguments(
            recipe.training,
            Path(temporary) / "checkpoints",
            steps=_STEPS,
            strategies=recipe.strategies,
        )
        trainer = build_trainer(material, args)
        clock = _Clock()
        trainer.add_callback(clock)
        trainer.train()
    steps_an_epoch = len(trainer.get_train_dataloader()) // args.gradient_accumulation_steps
    wanted = int(recipe.training.arguments.get("max_steps", -1))
    steps = wanted if wanted > 0 else round(steps_an_epoch * recipe.training.epochs)
    # The first step warms up: allocation and kernel selection. The second is a typical one.
    step_seconds = clock.times[-1] - clock.times[-2]
    return {
        **summary(material),
        "checkpoint": recipe.model.checkpoint,
        "strategies": [strategy.name for strategy in recipe.strategies],
        **counts,
        "new_parameters": material.new_parameters,
        "steps": steps,
        "tokens_per_batch": recipe.training.tokens_per_batch,
        "precision": trainer.precision,
        "world_size": args.world_size,
        "estimated_seconds": round(step_seconds * steps, 1),
        "peak_memory_bytes": _peak_memory(),
        "disk_bytes": disk_bytes(**counts, side_tasks=len(material.sides)),
        "output": str(folder.path),
    }


def _peak_memory() -> int:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
