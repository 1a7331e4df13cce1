"""Trainer events in; log.jsonl, one line an epoch on the console, and a bar on a terminal out."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from nlp_transfer.files import whole_file
from nlp_transfer.logs import in_notebook

log = logging.getLogger(__name__)


class Progress(TrainerCallback, ExportableState):
    """Reports a training run; does nothing on processes other than the main one."""

    def __init__(self, headline: str) -> None:
        """headline: how people call the validation figure."""
        self._headline = headline
        self._bar: Any = None
        self._start = time.monotonic()
        self._end: float | None = None
        self._loss: float | None = None
        self.earlier_seconds = 0.0
        """Training time before the last resume."""
        self.evaluation_seconds = 0.0
        """How much of the training time evaluations took, over every resume."""

    def state(self) -> dict[str, Any]:
        """Keep the training time in the checkpoint, so that a resumed run adds to it."""
        return {
            "args": {"headline": self._headline},
            "attributes": {
                "earlier_seconds": self.seconds,
                "evaluation_seconds": self.evaluation_seconds,
            },
        }

    @property
    def seconds(self) -> float:
        """Training time of the whole run, over every resume."""
        return self.earlier_seconds + (self._end or time.monotonic()) - self._start

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Open the bar; say where a resumed run goes on."""
        self._start = time.monotonic()
        if not state.is_world_process_zero:
            return
        if state.global_step:
            log.info("resuming at step %d of %d", state.global_step, state.max_steps)
        else:
            epochs = "" if args.max_steps > 0 else f", {_counted(args.num_train_epochs, 'epoch')}"
            log.info("training: %s%s", _counted(state.max_steps, "step"), epochs)
        _forget_after(state.global_step, Path(args.output_dir).parent / "log.jsonl")
        self._bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            unit="step",
            desc="training",
            disable=not (sys.stderr.isatty() or in_notebook()),
            leave=False,
        )

    def on_step_end(self, *_: object, **__: object) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(1)

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
        loss = "" if self._loss is None else f"loss {self._loss:.3f}  "
        with tqdm.external_write_mode(file=sys.stderr):
            log.info(
                "epoch %.3g/%.3g  %svalidation %s %.4f  %.0f s",
                state.epoch or 0,
                _planned_epochs(args, state),
                loss,
                self._headline,
                metrics["eval_score"],
                self.seconds,
            )

    def on_train_end(self, *_: object, **__: object) -> None:
        """Stop the clock and close the bar."""
        self._end = time.monotonic()
        self.close()

    def close(self) -> None:
        """Take the bar away, also where training ends early: a message needs a line of its own."""
        if self._bar is not None:
            self._bar.close()


def _counted(number: float, noun: str) -> str:
    shown = f"{number:,}" if isinstance(number, int) else f"{number:.3g}"
    return f"{shown} {noun}" if shown == "1" else f"{shown} {noun}s"


def _planned_epochs(args: TrainingArguments, state: TrainerState) -> float:
    """Return the epochs of the whole run; a number of steps, or the least of one, may decide."""
    epoch, epochs = float(state.epoch or 0), float(args.num_train_epochs)
    if args.max_steps > 0 or epoch > epochs:
        return epoch * int(state.max_steps) / max(int(state.global_step), 1)
    return epochs


def _forget_after(step: int, path: Path) -> None:
    """Drop the lines of steps that a resumed run takes again, and a line torn by a crash."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as lines, whole_file(path) as kept:
        for line in lines:
            with contextlib.suppress(json.JSONDecodeError):
                if json.loads(line)["step"] <= step:
                    kept.write(line)
