"""Trainer events in; log.jsonl, one line an epoch on the console, and a bar on a terminal out."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from nlp_transfer.files import remove, write_json_lines
from nlp_transfer.processes import is_main_process, world_size
from nlp_transfer.training.live_bar import LiveBar, Standing
from nlp_transfer.training.seeding import draws_by_row

log = logging.getLogger(__name__)


class Progress(TrainerCallback, ExportableState):
    """Reports a training run; does nothing on processes other than the main one."""

    def __init__(self, headline: str, minutes: float | None = None) -> None:
        """Start the clock.

        headline: how people call the validation figure
        minutes:  that the run may train in, over every resume; None: as long as it takes
        """
        self._headline = headline
        self._minutes = minutes
        self._bar: LiveBar | None = None
        self._start = time.monotonic()
        self._end: float | None = None
        self._loss: float | None = None
        self._begun = _Begun()
        self.pieces_an_epoch: float | None = None
        """What the bar's rate is computed from; padding not counted."""
        self.best: tuple[float, float] | None = None
        """The best evaluation: its figure, and the epoch it was at."""
        self.earlier_seconds = 0.0
        """Training time before the last resume."""
        self.heads: dict[str, Any] = {}
        """What strategies have fitted before the first step, by their names."""
        self.heads_seconds = 0.0
        """How long that took; it is part of the training time."""
        self.evaluation_seconds = 0.0
        """How much of the training time evaluations took, over every resume."""
        self.processes = world_size()
        """How many saved the checkpoint that the run goes on from."""

    def state(self) -> dict[str, Any]:
        """Keep the training time in the checkpoint, so that a resumed run adds to it."""
        return {
            "args": {"headline": self._headline, "minutes": self._minutes},
            "attributes": {
                "earlier_seconds": self.seconds,
                "evaluation_seconds": self.evaluation_seconds,
                "best": self.best,
                "pieces_an_epoch": self.pieces_an_epoch,
                "heads": self.heads,
                "processes": world_size(),
            },
        }

    def note_heads(self, found: dict[str, Any], seconds: float) -> None:
        """Count the time that heads took which were fitted before the first step.

        found: by the names of the strategies
        """
        self.heads, self.heads_seconds = found, seconds
        self._start = time.monotonic()
        self.earlier_seconds += seconds

    @property
    def seconds(self) -> float:
        """Training time of the whole run, over every resume."""
        return self.earlier_seconds + (self._end or time.monotonic()) - self._start

    @property
    def used(self) -> float | None:
        """What share of the time that it has the run has trained for; None: it has all of it."""
        return None if self._minutes is None else self.seconds / (60 * self._minutes)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Open the bar; say where a resumed run goes on."""
        self._start = time.monotonic()
        if not state.is_world_process_zero:
            return
        if state.global_step:
            others = "" if self.processes == world_size() else self._on_other_processes(args)
            log.info("resuming at step %d of %d%s", state.global_step, state.max_steps, others)
        else:
            epochs = "" if args.max_steps > 0 else f", {_counted(args.num_train_epochs, 'epoch')}"
            log.info("training: %s%s", _counted(state.max_steps, "step"), epochs)
        self.write_log(args, state)
        self._begun = _Begun(state.global_step, state.epoch or 0.0, self.evaluation_seconds)
        self._bar = LiveBar(self._headline, steps=state.max_steps, done=state.global_step)

    @staticmethod
    def write_log(args: TrainingArguments, state: TrainerState) -> None:
        """Let log.jsonl hold what a run goes on from: it may be damaged, or of later steps."""
        file = Path(args.output_dir).parent / "log.jsonl"
        if not is_main_process():
            return
        if state.log_history:
            write_json_lines(file, ({"step": line["step"], **line} for line in state.log_history))
        else:
            remove(file)

    def _on_other_processes(self, args: TrainingArguments) -> str:
        same = (
            "the steps stay the same, but for rounding"
            if draws_by_row(args)
            else "the batches stay the same, their dropout may not"
        )
        now = f"{world_size()} process{'es' if world_size() > 1 else ''}"
        return f", with {now} instead of {self.processes}: {same}"

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.show(self._standing(args, state), steps=1)

    @contextlib.contextmanager
    def evaluating(self, args: TrainingArguments, state: TrainerState) -> Iterator[None]:
        """Take the time of an evaluation, and say that there is one."""
        start = time.monotonic()
        if self._bar is not None:
            self._bar.show(replace(self._standing(args, state), evaluating=True))
        yield
        self.evaluation_seconds += time.monotonic() - start
        self._begun.evaluations += 1

    def _standing(self, args: TrainingArguments, state: TrainerState) -> Standing:
        """Say how far the training is, from what was measured since it began or was resumed."""
        begun, steps = self._begun, int(state.global_step) - self._begun.step
        if steps <= 0:
            return Standing(best=self.best)
        evaluated = self.evaluation_seconds - begun.evaluation_seconds
        learning = time.monotonic() - self._start - evaluated
        left = learning / steps * (int(state.max_steps) - int(state.global_step))
        if begun.evaluations:
            left += evaluated / begun.evaluations * _evaluations_left(args, state)
        if self._minutes is not None:
            left = min(left, max(0.0, 60 * self._minutes - self.seconds))
        pieces = (self.pieces_an_epoch or 0.0) * (float(state.epoch or 0) - begun.epoch)
        return Standing(pieces / learning if pieces else None, left, self.best)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        """Append to log.jsonl."""
        if not state.is_world_process_zero or logs is None:
            return
        self._loss = logs.get("loss", self._loss)
        line = {"step": state.global_step, **logs}
        with (Path(args.output_dir).parent / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        """Write one line an evaluation."""
        if not state.is_world_process_zero or metrics is None:
            return
        score, epoch = metrics["eval_score"], float(state.epoch or 0)
        if self.best is None or score > self.best[0]:
            self.best = (score, epoch)
        log.info(
            "%s%svalidation %s %.4f  %.0f s",
            f"epoch {epoch:.3g}/{planned_epochs(args, state):.3g}  " if state.max_steps else "",
            "" if self._loss is None else f"loss {self._loss:.3f}  ",
            self._headline,
            score,
            self.seconds,
        )
        if self._bar is not None:
            self._bar.show(self._standing(args, state))

    def on_train_end(self, *_: object, **__: object) -> None:
        """Stop the clock and close the bar."""
        self.stop()
        self.close()

    def stop(self) -> None:
        """Stop the clock."""
        self._end = time.monotonic()

    def close(self) -> None:
        """Take the bar away, also where training ends early: a message needs a line of its own."""
        if self._bar is not None:
            self._bar.close()


@dataclass
class _Begun:
    """Where a training began or was resumed, and what has been since."""

    step: int = 0
    epoch: float = 0.0
    evaluation_seconds: float = 0.0
    evaluations: int = 0


def _evaluations_left(args: TrainingArguments, state: TrainerState) -> float:
    """Count the evaluations that are still to come, if training goes on to its end."""
    if args.eval_strategy == "steps":
        # Of the state: the argument may be a share of all steps, such as 0.25.
        return (int(state.max_steps) - int(state.global_step)) // int(state.eval_steps)
    return math.ceil(planned_epochs(args, state) - float(state.epoch or 0))


def _counted(number: float, noun: str) -> str:
    shown = f"{number:,}" if isinstance(number, int) else f"{number:.3g}"
    return f"{shown} {noun}" if shown == "1" else f"{shown} {noun}s"


def planned_epochs(args: TrainingArguments, state: TrainerState) -> float:
    """Return the epochs of the whole run; a number of steps, or the least of one, may decide."""
    epoch, epochs = float(state.epoch or 0), float(args.num_train_epochs)
    if args.max_steps > 0 or epoch > epochs:
        return epoch * int(state.max_steps) / max(int(state.global_step), 1)
    return epochs
