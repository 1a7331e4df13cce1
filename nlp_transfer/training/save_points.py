"""When a run saves what it has learned beside its evaluations: now and then, and before it ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from nlp_transfer.errors import ENDING, Stopped
from nlp_transfer.processes import greatest

_GRACE = 20
"""Seconds that a step, or an evaluation, may still take after a signal."""


class SavePoints(TrainerCallback):
    """Saves every few minutes, without an evaluation, and at the end of the step of a signal.

    All processes do so at the same step. What is saved in the middle of an epoch changes nothing of
    what a run ends with.
    """

    def __init__(self, minutes: float | None, steps_an_epoch: int) -> None:
        """minutes: None: only where the recipe's evaluations are, and at a signal."""
        self._seconds = None if minutes is None else 60 * minutes
        self._steps_an_epoch = steps_an_epoch
        self._saved = time.monotonic()
        self._asked = 0
        self._again: threading.Timer | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Let the first signal end training after its step, and the second one at once.

        raises: Stopped
        """
        self._saved = time.monotonic()
        if threading.current_thread() is not threading.main_thread():  # which alone gets signals
            yield
            return
        asking = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._note) for number in asking}
        try:
            yield
        finally:
            if self._again is not None:
                self._again.cancel()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self._asked:
            raise Stopped(by=self._asked)
        self._asked = number
        self._again = threading.Timer(_GRACE, os.kill, (os.getpid(), number))
        self._again.daemon = True
        self._again.start()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Save at this step where it is time, or a process was asked to end."""
        self._asked = greatest(self._asked)
        # At the end of an epoch the evaluation comes first: a run that goes on would leave it out.
        if state.global_step % self._steps_an_epoch:
            control.should_save |= bool(self._asked or greatest(self._is_time()))

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Save after the evaluation where a process was asked to end."""
        control.should_save |= bool(self._asked)

    def on_save(self, *_: object, **__: object) -> None:
        """End training where a process was asked to; the Trainer would evaluate once more."""
        self._saved = time.monotonic()
        if self._asked:
            raise Stopped(by=self._asked)

    def _is_time(self) -> bool:
        return self._seconds is not None and time.monotonic() - self._saved >= self._seconds
