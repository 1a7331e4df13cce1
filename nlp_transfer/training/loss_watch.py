"""The loss of every batch in; the first that is no number ends the run, with its step and batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from accelerate import Accelerator
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from nlp_transfer.errors import UserError, shortened
from nlp_transfer.models.finite import not_finite

_STEPS = 10
"""Steps from one look at the device to the next."""
_SKIPPED = 30
"""Steps in a row that fp16 may leave out: its loss scale, 2 ** 16, is halved each time."""


class LossWatch(TrainerCallback):
    """Notes the first step whose loss is NaN or infinite, and stops all processes at once.

    The note is kept on the device and read every few steps, and before anything is logged,
    evaluated or saved: a look at each step would make the host wait for the GPU each time. In fp16
    the loss scaler leaves out the steps whose gradients are no numbers, so that weights come to no
    harm; there a run ends when it leaves out all of them.
    """

    def __init__(self, accelerator: Accelerator, advice: Callable[[int], str]) -> None:
        """advice: what a message says of a step beside that its loss is no number."""
        self._accelerator = accelerator
        self._advice = advice
        self._scales = accelerator.scaler is not None
        nobody_waits = accelerator.device.type == "cpu" and accelerator.num_processes == 1
        self._every = 1 if nobody_waits else _STEPS
        self._first: torch.Tensor | None = None
        self._skipped = 0

    def note(self, loss: torch.Tensor, step: int) -> None:
        """Note the loss of a batch, without waiting for it.

        step: that the batch is part of, from 1
        """
        if self._first is None:
            self._first = torch.zeros((), dtype=torch.long, device=loss.device)  # 0: none so far
        is_first = ~loss.isfinite() & (self._first == 0)
        self._first = self._first.masked_fill(is_first, step)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        *,
        model: nn.Module,
        **_: object,
    ) -> None:
        """Look at what was noted, now and then and before anything is made of the weights."""
        if self._scales:
            was_skipped = self._accelerator.optimizer_step_was_skipped
            self._skipped = self._skipped + 1 if was_skipped else 0
        is_last = state.global_step >= state.max_steps
        weights_count = is_last or control.should_evaluate or control.should_save
        if weights_count or control.should_log or state.global_step % self._every == 0:
            self._look(state, model if weights_count else None)

    def on_epoch_end(
        self, args: object, state: TrainerState, *_: object, model: nn.Module, **__: object
    ) -> None:
        """Look at what was noted before the evaluation of the epoch."""
        self._look(state, model)

    def _look(self, state: TrainerState, model: nn.Module | None) -> None:
        """Raise the same UserError on all processes where the run is lost.

        model: whose weights are looked at too
        """
        if self._scales:
            if self._skipped >= min(_SKIPPED, state.max_steps):
                self._stop(state.global_step, "the gradients are no numbers, whatever their scale")
            return
        first = self._first if self._first is not None else torch.zeros((), dtype=torch.long)
        is_damaged = bool(model is not None and not_finite(model))
        found = torch.stack([first, torch.full_like(first, is_damaged)])
        if self._accelerator.num_processes > 1:
            found = self._accelerator.gather(found)
        steps, damaged = found.view(-1, 2).T.tolist()
        if any(steps):
            self._stop(min(step for step in steps if step), "the loss is NaN or infinite")
        if any(damaged):
            self._stop(state.global_step, "weights have become NaN or infinite")

    def _stop(self, step: int, fault: str) -> None:
        raise UserError(f"Training stopped at step {step}: {fault}. {self._advice(step)}")


def advice_on_batch(places: Sequence[str], step: int, rate: float, precision: str) -> str:
    """Say what to do about a batch whose loss is no number.

    places: where its windows come from
    step:   that it is part of, from 1
    rate:   training.learning_rate
    """
    advice = (
        "Nothing was learned before it, so the learning rate is not the reason: look at these "
        f"examples, at training.class_weights and at the checkpoint{_start_over(precision)}"
        if step == 1
        else f"Lower training.learning_rate (it is {rate:g}), or look at these "
        f"examples{_start_over(precision)}"
    )
    return f"Its batch: {shortened(places, 8)} ({len(places)} in all). {advice}"


def advice_on_rate(rate: float, precision: str) -> str:
    """Say what to do about weights that are too large to compute with."""
    return f"Lower training.learning_rate (it is {rate:g}){_start_over(precision)}"


def _start_over(precision: str) -> str:
    fp32 = f"; training.precision is {precision}, fp32 reaches further"
    return f"{fp32 if precision != 'fp32' else ''}. Then start over with --fresh."
