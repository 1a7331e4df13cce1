"""Batches in, learned whole, or in parts from the first on that memory does not suffice for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from torch import nn

from nlp_transfer.errors import UserError
from nlp_transfer.training.seeding import SeededTrainer

log = logging.getLogger(__name__)


class SplittingTrainer(SeededTrainer):
    """A Trainer that cuts its batches where memory does not suffice; the steps stay the same."""

    def __init__(self, **parts: Any) -> None:
        """Hand `parts` on to the Trainer."""
        self._parts = 1
        self._learned: list[dict[str, torch.Tensor]] = []
        super().__init__(**parts)

    def get_batch_samples(self, *arguments: Any, **options: Any) -> Any:
        """Draw the batches of a step, of which nothing is learned yet."""
        self._learned = []
        return super().get_batch_samples(*arguments, **options)

    def training_step(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Learn from one batch; where memory does not suffice, from parts of it in turn.

        Losses are sums over the items of the whole step, so the gradient, and with it the meaning
        of the learning rate, stays the same.

        raises: UserError when memory does not suffice for a single window, or on several processes
        """

        step = super().training_step
        try:
            losses = [step(model, part, num_items_in_batch) for part in _cut(inputs, self._parts)]
        except RuntimeError as error:
            if not should_reduce_batch_size(error):
                raise
            self._halve_batches(inputs)
            # The gradient is torn, also that of this step's earlier batches.
            model.zero_grad()
            again, self._learned = self._learned, []
            for earlier in again:
                self.training_step(model, earlier, num_items_in_batch)
            return self.training_step(model, inputs, num_items_in_batch)
        self._learned.append(inputs)
        return torch.stack(losses).sum()

    def _halve_batches(self, inputs: dict[str, torch.Tensor]) -> None:
        """Cut the batches of the rest of the run into twice as many parts.

        inputs: the batch that did not fit
        """
        clear_device_cache(garbage_collection=True)
        windows, pieces = inputs["input_ids"].shape
        if self.args.world_size > 1:
            raise UserError(
                f"Memory does not suffice for {windows} windows of {pieces} pieces. Run again with "
                f"training.tokens_at_once={max(1, windows // 2) * pieces}: the steps stay the same."
            )
        if self._parts >= windows:
            raise UserError(
                f"Memory does not suffice for a single window of {pieces} pieces. Lower "
                "model.max_pieces, or set training.arguments.gradient_checkpointing=true."
            )
        self._parts *= 2
        log.warning(
            "memory does not suffice for %d windows of %d pieces: from now on batches are learned "
            "in %d parts; steps and learning rate stay as they are",
            windows,
            pieces,
            self._parts,
        )


def _cut(batch: dict[str, torch.Tensor], parts: int) -> Iterator[dict[str, torch.Tensor]]:
    """Cut a batch into parts of about equal numbers of windows, none of them empty."""
    cut = {name: tensor.tensor_split(parts) for name, tensor in batch.items()}
    for number in range(min(parts, len(batch["input_ids"]))):
        yield {name: tensors[number] for name, tensors in cut.items()}
