"""A run that lost its folder to another one ends, before it writes to it again."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from nlp_transfer.runs.lock import Lock


class KeepsFolder(TrainerCallback):
    """Looks at the end of each step whether the run's folder is still its own."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """End the run where it was taken for dead, before it saves this step."""
        self._lock.check(at_once=control.should_save)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """End the run likewise before it is evaluated and saved."""
        self._lock.check(at_once=True)
