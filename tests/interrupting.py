"""Runs that end before they are done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from nlp_transfer.training.budget_trainer import BudgetTrainer


def stop(*_: Any, **__: Any) -> None:
    """Take the place of what a run never comes to."""
    raise KeyboardInterrupt


def interrupt(patch: pytest.MonkeyPatch, *, at_step: int, by: Callable[[], None] = stop) -> None:
    """Stop training as a crash would, in the middle of a step."""
    original = BudgetTrainer.training_step

    def training_step(self: BudgetTrainer, *args: Any, **options: Any) -> torch.Tensor:
        if self.state.global_step == at_step:
            by()
        return original(self, *args, **options)

    patch.setattr(BudgetTrainer, "training_step", training_step)
