"""A run in little, for a dry run: its largest batches, some others, and some of its examples."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch
from datasets import Dataset
from torch.utils.flop_counter import FlopCounterMode
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from nlp_transfer.records import EncodedSplit
from nlp_transfer.strategies.context import TransferRecipe
from nlp_transfer.training.arguments import training_arguments
from nlp_transfer.training.batching import TokenBatchSampler
from nlp_transfer.training.examples import SplitData, TaskWindows
from nlp_transfer.training.trainer import TransferTrainer

MOST_STEPS, _FEWEST_STEPS = 24, 8
_LARGEST = 2
"""The first steps, which are of the largest batches."""
_WARM = 3
"""Steps that warm up: allocation, choice of kernels."""
_SECONDS = 20.0
"""That the steps after these may take, unless they are the fewest."""
_MOST_EVALUATIONS = 10
EXAMPLES = 500
"""Of a split that are evaluated."""


class StepClock(TrainerCallback):
    """Lets a training begin with its largest batches, and takes the time of each step."""

    def __init__(self, run: TrainingArguments, *, counts_flops: bool = False) -> None:
        """Try no more steps than the run has.

        run:          its arguments
        counts_flops: count those of the second step, which takes longer for it
        """
        self._run = run
        self.flops_a_piece = 0.0
        """Of matrix products, in a step."""
        self._counter = FlopCounterMode(display=False) if counts_flops else None
        self.seconds: list[float] = []
        """Of each step."""
        self.pieces: list[int] = []
        """Of each step, padding included; those of an epoch of the run, in its order."""
        self._last = 0.0

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        *,
        train_dataloader: torch.utils.data.DataLoader[Any],
        **_: object,
    ) -> None:
        """Put the largest batches first, and try both of them, however short the run is."""
        sampler = train_dataloader.batch_sampler
        assert isinstance(sampler, TokenBatchSampler)
        sampler.largest_first = True
        self.pieces = sampler.padded_pieces(0)
        steps = planned_steps(self._run, len(self.pieces))
        state.max_steps = min(max(steps, _LARGEST), state.max_steps)

    def on_step_begin(self, *_: object, **__: object) -> None:
        """Note when the first step begins; the others do when the one before ends."""
        if not self.seconds:
            self._last = _now()
        if len(self.seconds) == 1 and self._counter:
            self._counter.__enter__()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Take the time of a step; after the warm ones decide how many more there will be."""
        if len(self.seconds) == 1 and self._counter:
            self._counter.__exit__(None, None, None)
            self.flops_a_piece = self._counter.get_total_flops() / self.pieces[1]
        now = _now()
        self.seconds.append(now - self._last)
        self._last = now
        if len(self.seconds) == _WARM:
            fit = _WARM + int(_SECONDS / max(self.seconds[-1], 1e-3))
            # What strategies do in the course of a training, they do in the course of these.
            state.max_steps = min(max(fit, _FEWEST_STEPS), state.max_steps)

    def training_seconds(self, steps: int) -> float:
        """Extrapolate to so many steps, from seconds a piece of those after the warm ones."""
        tried = len(self.seconds)
        epoch = len(self.pieces)
        mean = sum(self.pieces) / epoch
        own = [self.pieces[n] if n < epoch else mean for n in range(tried)]
        warm = _WARM if tried > _WARM else tried - 1
        a_piece = sum(self.seconds[warm:]) / sum(own[warm:])
        seconds = list(self.seconds)
        if self._counter and tried > 2:
            seconds[1] = a_piece * own[1]
        left = max(0.0, steps * mean - sum(own)) if steps > tried else 0.0
        return sum(seconds[:steps]) + a_piece * left


def _now() -> float:
    """Read the clock when all that was asked of the device is done."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.monotonic()


@dataclass(frozen=True)
class Little:
    """A task with some of its examples to evaluate, and how many times as much the whole is."""

    task: TaskWindows
    times: Mapping[str, float]
    """Pieces of each split over those of its examples here; 1 for the training split."""


def in_little(task: TaskWindows) -> Little:
    """Keep of each split that is evaluated at most EXAMPLES examples, spread over all of it."""
    data, times = dict(task.data), dict.fromkeys(task.data, 1.0)
    datasets, repeats = dict(task.splits.datasets), dict(task.repeats)
    for split, whole in task.data.items():
        if split == "train" or len(whole.rows) <= EXAMPLES:
            continue
        kept = [number * len(whole.rows) // EXAMPLES for number in range(EXAMPLES)]
        data[split] = few = _few(whole, kept)
        times[split] = sum(whole.encoded.lengths) / sum(few.encoded.lengths)
        datasets[split] = few.rows
        if split in repeats:
            seen = frozenset(repeats[split].seen_rows)
            rows = tuple(new for new, old in enumerate(kept) if old in seen)
            repeats[split] = replace(repeats[split], seen=len(rows), seen_rows=rows)
    splits = replace(task.splits, datasets=datasets)
    return Little(replace(task, data=data, splits=splits, repeats=repeats), times)


def times_scored(tasks: Sequence[Little]) -> float:
    """Say how many times as much there is to predict in the end, over all tasks."""
    whole = few = 0.0
    for one in tasks:
        for split in one.task.recipe.evaluation.splits:
            pieces = sum(one.task.data[split].encoded.lengths)
            whole, few = whole + pieces * one.times[split], few + pieces
    return whole / few


def _few(split: SplitData, kept: list[int]) -> SplitData:
    """Take examples out of a split, by their numbers, and count them anew."""
    examples = split.encoded.windows.data.column("example")
    numbers = pc.index_in(examples, value_set=pa.array(kept, examples.type))
    mine = [row for row, number in enumerate(numbers.to_pylist()) if number is not None]
    windows: Dataset = split.encoded.windows.select(mine)
    own = [number for number in numbers.to_pylist() if number is not None]
    windows = windows.remove_columns("example").add_column("example", own)
    return SplitData(split.rows.select(kept), EncodedSplit(windows, split.encoded.ledger))


def planned_steps(args: TrainingArguments, steps_an_epoch: int) -> int:
    """Count the steps of a run that nothing ends early."""
    if args.max_steps > 0:
        return int(args.max_steps)
    return math.ceil(float(args.num_train_epochs) * steps_an_epoch)


def planned_evaluations(args: TrainingArguments, steps: int, steps_an_epoch: int) -> int:
    """Count the evaluations of a run; each saves a checkpoint too."""
    if args.eval_strategy == IntervalStrategy.EPOCH:
        return max(1, math.ceil(steps / steps_an_epoch))
    if args.eval_strategy == IntervalStrategy.STEPS:
        every = float(args.eval_steps)
        return int(steps // (math.ceil(every * steps) if every < 1 else every))
    return 0


def keep_as_many(
    recipe: TransferRecipe, trainer: TransferTrainer, metrics: dict[str, float]
) -> None:
    """Tell the callbacks of as many evaluations as a run has: what they keep takes memory.

    metrics: of the first one
    """
    place = Path(trainer.args.output_dir)
    args = training_arguments(recipe.training, place, strategies=recipe.strategies)
    steps = planned_steps(args, trainer.steps_an_epoch)
    planned = planned_evaluations(args, steps, trainer.steps_an_epoch)
    for _ in range(min(planned, _MOST_EVALUATIONS) - 1):
        trainer.state.global_step += 1  # as if a step lay between
        trainer.callback_handler.on_evaluate(trainer.args, trainer.state, trainer.control, metrics)
