"""The time that a run has trained in; its learning rate near the limit, and its end there, out."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from nlp_transfer.processes import greatest
from nlp_transfer.training.progress import Progress

log = logging.getLogger(__name__)

COOLING = 0.2
"""Share of the time in which the learning rate falls to nothing, whatever its schedule.

A schedule cut off in the middle ends at a high rate. A run that is done before this share begins is
the same as without a limit, to the last bit. Hägele et al. 2024 find 20 % to be enough.
"""
_PRECISION = 1_000_000
"""Parts of the time that processes tell each other."""


class TimeLimit(TrainerCallback):
    """Ends training at the step at which training.max_minutes are over, with an evaluation.

    The time is that of all sittings of a run. All processes do so at the same step, and learn at
    the same rate until then.
    """

    def __init__(self, clock: Callable[[], Progress]) -> None:
        """clock: what tells the time of the run; after a resume it is another one."""
        self._clock = clock
        self._used = 0.0
        self._rates: list[float] = []
        self.is_reached = False

    @property
    def factor(self) -> float:
        """By which the rates of the last step were multiplied."""
        return max(0.0, min(1.0, (1 - self._used) / COOLING))

    def on_step_begin(self, *_: object, optimizer: torch.optim.Optimizer, **__: object) -> None:
        """Lower the rates of this step where the time comes to its end."""
        self._used = self._agreed()
        self._rates = [group["lr"] for group in optimizer.param_groups]
        if self.factor < 1:
            for group in optimizer.param_groups:
                group["lr"] *= self.factor

    def on_optimizer_step(self, *_: object, optimizer: torch.optim.Optimizer, **__: object) -> None:
        """Give the rates back to their schedule."""
        for group, rate in zip(optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """End training where the time was over when this step began."""
        if self._used >= 1 and state.global_step < state.max_steps:
            self._end(state, control)
            end_with_evaluation(args, control)

    def on_evaluate(
        self, _: TrainingArguments, state: TrainerState, control: TrainerControl, **__: object
    ) -> None:
        """End training where the evaluation took the rest of the time."""
        if not self.is_reached and state.global_step < state.max_steps and self._agreed() >= 1:
            self._end(state, control)

    def _end(self, state: TrainerState, control: TrainerControl) -> None:
        self.is_reached = True
        control.should_training_stop = True
        log.info(
            "training.max_minutes are over after %d of %d steps",
            state.global_step,
            state.max_steps,
        )

    def _agreed(self) -> float:
        """Return what share of the time is used, to the knowledge of all processes."""
        used = self._clock().used
        return greatest(round(used * _PRECISION)) / _PRECISION if used is not None else 0.0


def end_with_evaluation(args: TrainingArguments, control: TrainerControl) -> None:
    """End training after this step, and evaluate it where others are: it may be the best."""
    control.should_training_stop = True
    if args.eval_strategy == IntervalStrategy.STEPS:  # epochs end in an evaluation anyway
        control.should_evaluate = control.should_save = True


def was_reached(state: TrainerState, minutes: float | None) -> bool:
    """Tell from a checkpoint's state whether the time was over, and nothing is left to evaluate."""
    stored = state.stateful_callbacks.get(Progress.__name__)
    if minutes is None or not isinstance(stored, dict):
        return False
    is_over = stored["attributes"]["earlier_seconds"] >= 60 * minutes
    evaluated = [line["step"] for line in state.log_history if "eval_score" in line]
    return is_over and evaluated[-1:] == [state.global_step]
