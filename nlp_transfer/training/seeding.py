"""Batches of a step in; the random numbers that it takes, whatever process computes which of them.

A step draws from a seed of its own, made of the run's and of its number, so that a run that goes on
draws what it would have drawn: on other processes, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import TrainingArguments, set_seed

from nlp_transfer.models.row_dropout import RowDropout, dropout_by_row
from nlp_transfer.strategies.context import Batch
from nlp_transfer.training.checkpoints import ResumingTrainer


def draws_by_row(args: TrainingArguments) -> bool:
    """Tell whether dropout of a window is the same whatever is computed with it."""
    return args.device.type == "cpu" and not args.torch_compile


class SeededTrainer(ResumingTrainer):
    """A Trainer whose draws depend on the seed and the step, not on what was drawn before.

    On CPUs dropout of a window depends on its place in the global batch as well, and on nothing
    else: it is the same on any number of processes, however many windows are computed at a time.
    PyTorch for GPUs, and what torch.compile makes, draw it for a batch as a whole. There it is the
    same where the batches are: for the same product of processes and accumulated batches.
    """

    def __init__(self, **parts: Any) -> None:
        """Hand `parts` on to the Trainer."""
        self._by_row: RowDropout | None = None
        self._batch = 0
        super().__init__(**parts)

    @contextlib.contextmanager
    def drawing_by_row(self) -> Iterator[None]:
        """Draw dropout of each window by itself in the block, where that can be."""
        if not draws_by_row(self.args):
            yield
            return
        with dropout_by_row(self.model, self.args.seed) as self._by_row:
            try:
                yield
            finally:
                self._by_row = None

    def get_batch_samples(self, *arguments: Any, **options: Any) -> Any:
        """Draw the batches of a step, and number their windows by their places in it."""
        batches, items = super().get_batch_samples(*arguments, **options)
        own = self.args.gradient_accumulation_steps
        self._batch = self.args.process_index * own
        if self._by_row is not None:
            # The sampler deals the windows of a step out to its batches like cards.
            for number, batch in enumerate(batches, start=self._batch):
                count = len(batch["input_ids"])
                batch["places"] = number + torch.arange(count) * own * self.args.world_size
        return batches, items

    def training_step(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Learn from one batch, drawing from the seed of the step."""
        numbers = [self.args.seed, self.state.global_step]
        if self._by_row is None:
            numbers.append(self._batch)
            self._batch += 1
        set_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))
        loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        return loss

    def draw_for(self, batch: Batch, *, is_packed: bool) -> None:
        """Draw dropout for the windows of a batch from here on, its backward pass included.

        is_packed: layers compute its pieces as one row
        """
        if self._by_row is not None:
            mask = batch["attention_mask"] if is_packed else None
            self._by_row.compute(batch.get("places"), mask)
