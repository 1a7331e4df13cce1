"""What a run in little took in, what the whole would take out: time, memory, disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from transformers import TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from nlp_transfer.models.build import count_new
from nlp_transfer.runs.disk import disk_bytes
from nlp_transfer.runs.gpu_model import GpuEstimate, Gpus, Work, on_gpus
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.training.arguments import training_arguments
from nlp_transfer.training.examples import TaskWindows
from nlp_transfer.training.fitting import Fitted
from nlp_transfer.training.rehearsal import StepClock, planned_evaluations, planned_steps
from nlp_transfer.training.sizes import DataSizes, data_sizes


@dataclass(frozen=True)
class Ending:
    """Seconds of what comes beside the steps and after them, as the whole run will have it."""

    evaluation: float
    save: float
    finish: float
    predict: float
    report: float


@dataclass(frozen=True)
class Times:
    """Seconds that the parts of a whole run would take on this machine."""

    prepare: float
    """Loading, building the model, encoding."""
    heads: float
    """What strategies fit before the first step."""
    steps: float
    evaluation: float
    """Each of `evaluations`."""
    evaluations: int
    save: float
    """Each of `saves`."""
    saves: int
    finish: float
    """What strategies do with the trained model, and calibration."""
    predict: float
    report: float
    """Saving the model, scores, pages."""
    most_training: float = math.inf
    """training.max_minutes."""

    @property
    def training(self) -> float:
        """Return what metrics.json of the run will call `seconds`."""
        last = self.evaluation if self.evaluations else 0.0
        return min(self._until_last, self.most_training) + last

    @property
    def is_cut_short(self) -> bool:
        """Whether training.max_minutes end the training."""
        return self._until_last > self.most_training

    @property
    def _until_last(self) -> float:
        """Sum up the training until its last evaluation."""
        between = max(0, self.evaluations - 1) * self.evaluation + self.saves * self.save
        return self.heads + self.steps + between

    @property
    def whole(self) -> float:
        """Return what the command takes, from its start to the report."""
        return self.prepare + self.training + self.finish + self.predict + self.report

    def as_dict(self) -> dict[str, float]:
        return {one.name: round(getattr(self, one.name), 3) for one in fields(self)[:-1]}


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
    steps_tried: int
    tokens_per_batch: int
    precision: str
    world_size: int
    """How many processes share a step."""
    times: Times
    rounds_before: tuple[float, ...]
    """Seconds of whole runs before this one, that teach it."""
    peak_memory_bytes: int
    """Of what was tried: the largest batches among it."""
    disk_bytes: int
    """While it trains."""
    output: str
    """The run folder."""
    gpus: GpuEstimate | None = None
    """What it would take on GPUs, by a model."""

    def as_dict(self) -> dict[str, Any]:
        own = {each.name: getattr(self, each.name) for each in fields(self)[1:]}
        return {
            **self.data.as_dict(),
            **own,
            "strategies": list(self.strategies),
            "estimated_seconds": round(self.times.training, 1),
            "estimated_total_seconds": round(self.seconds, 1),
            "times": self.times.as_dict(),
            "rounds_before": list(self.rounds_before),
            "gpus": self.gpus.as_dict() if self.gpus else None,
        }

    @property
    def seconds(self) -> float:
        """Of the whole command, rounds before included."""
        return self.times.whole + sum(self.rounds_before)


def estimate(
    tasks: Sequence[TaskWindows],
    fitted: Fitted,
    clock: StepClock,
    ending: Ending,
    *,
    prepare: float,
    folder: RunFolder,
    before: Sequence[Estimate],
    gpus: Gpus | None,
) -> Estimate:
    """Put together what a run does and takes.

    tasks:   with all their examples
    prepare: seconds until the first step
    before:  of the rounds before
    """
    recipe, trainer = tasks[0].recipe, fitted.trainer
    args = training_arguments(
        recipe.training, folder.checkpoints, strategies=recipe.strategies
    )  # those of the dry run say its own steps
    an_epoch = trainer.steps_an_epoch
    steps = planned_steps(args, an_epoch) if clock.seconds else 0  # or all is fitted at once
    evaluations = planned_evaluations(args, steps, an_epoch) if steps else int(_evaluates(args))
    minutes = recipe.training.max_minutes
    times = Times(
        prepare=prepare,
        heads=trainer.clock.heads_seconds,
        steps=clock.training_seconds(steps) if steps else 0.0,
        evaluations=evaluations,
        saves=evaluations if steps else 0,
        most_training=math.inf if minutes is None else 60 * minutes,
        **vars(ending),
    )
    peak = fitted.memory.bytes
    return Estimate(
        data=data_sizes(tasks),
        checkpoint=recipe.model.checkpoint,
        strategies=tuple(strategy.name for strategy in recipe.strategies),
        **fitted.parameters,
        new_parameters=count_new(fitted.loaded),
        steps=steps,
        steps_tried=len(clock.seconds),
        tokens_per_batch=recipe.training.tokens_per_batch,
        precision=trainer.precision,
        world_size=trainer.args.world_size,
        times=times,
        rounds_before=tuple(round(one.times.whole, 1) for one in before),
        peak_memory_bytes=max([peak, *(one.peak_memory_bytes for one in before)]),
        disk_bytes=disk_bytes(**fitted.parameters, tasks=len(tasks)),
        output=str(folder.path),
        gpus=on_gpus(gpus, _work(tasks, fitted, clock, times, steps)) if gpus and steps else None,
    )


def _work(
    tasks: Sequence[TaskWindows], fitted: Fitted, clock: StepClock, times: Times, steps: int
) -> Work:
    """Say what there is to compute, on whatever it is computed."""
    pieces = {split: sum(data.encoded.lengths) for split, data in tasks[0].data.items()}
    scored = sum(
        sum(task.data[split].encoded.lengths)
        for task in tasks
        for split in task.recipe.evaluation.splits
    )
    config = fitted.loaded.model.config
    return Work(
        steps=steps,
        flops_a_piece=clock.flops_a_piece,
        pieces_a_step=sum(clock.pieces) / len(clock.pieces),
        largest_step=max(clock.pieces),
        pieces_predicted=times.evaluations * pieces["validation"] + scored,
        other_seconds=times.whole - times.training - times.predict + times.heads,
        trainable_parameters=fitted.parameters["trainable_parameters"],
        total_parameters=fitted.parameters["total_parameters"],
        hidden_times_layers=config.hidden_size * config.num_hidden_layers,
    )


def _evaluates(args: TrainingArguments) -> bool:
    return bool(args.eval_strategy != IntervalStrategy.NO)
