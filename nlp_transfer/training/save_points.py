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
from nlp_transfer.processes import greatest, world_size

_TIME = 1
"""What processes tell each other where it is time to save: below the number of every signal."""
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
        self._process = os.getpid()
        self._asked = 0  # by which signal this process was; 0: none
        self._agreed = 0  # what all processes know of it since the last step
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
            # A launcher sends SIGTERM to the others as soon as one of them has ended.
            ends_with_others = self._agreed and world_size() > 1
            for number, handler in before.items():
                signal.signal(number, signal.SIG_IGN if ends_with_others else handler)
        if self._asked:  # after the last step
            raise Stopped(by=self._asked)

    def _note(self, number: int, _: FrameType | None) -> None:
        if os.getpid() != self._process:  # a worker, which the terminal tells as well
            return
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
        told = greatest(self._asked or (_TIME if self._is_time() else 0))
        self._agreed = told if told > _TIME else 0
        # At the end of an epoch the evaluation comes first: a run that goes on would leave it out.
        if state.global_step % self._steps_an_epoch:
            control.should_save |= bool(told)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Save after the evaluation where a process was asked to end."""
        control.should_save |= bool(self._agreed)

    def on_save(self, *_: object, **__: object) -> None:
        """End training where a process was asked to; the Trainer would evaluate once more."""
        self._saved = time.monotonic()
        if self._agreed:
            raise Stopped(by=self._agreed)

    def _is_time(self) -> bool:
        return self._seconds is not None and time.monotonic() - self._saved >= self._seconds
