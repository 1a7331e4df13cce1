"""R-Drop: two passes with different dropout are to agree (Wu et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nlp_transfer.strategies.base import Stage, Strategy
from nlp_transfer.strategies.context import Batch, Forward, LossFunction, TrainingData
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.objective import IGNORED
from nlp_transfer.tasks.optional import SoftLoss

if TYPE_CHECKING:
    import torch
    from transformers.utils import ModelOutput


class RDrop(Strategy):
    """Add the divergence between the predictions of two dropout passes to the loss."""

    stage: ClassVar[Stage] = Stage.LOSS
    # Doubles what the model reads, so that it is around all that add to the loss.
    order: ClassVar[int] = 30

    excludes: ClassVar[tuple[str, ...]] = ("fgm",)

    name: Literal["r_drop"] = "r_drop"
    alpha: float = Field(1.0, ge=0, le=1e6, description="weight of the divergence")

    @staticmethod
    def needs(task: Task) -> SoftLoss | None:
        """Compare probabilities."""
        return task.soft_loss

    def wrap_loss(self, loss: LossFunction, data: TrainingData) -> LossFunction:
        """Return the mean loss of two passes, plus alpha times their divergence."""
        import torch

        def loss_with_agreement(
            forward: Forward, batch: Batch, items: torch.Tensor
        ) -> torch.Tensor:
            passes: list[torch.Tensor] = []

            def remembered(inputs: Batch) -> ModelOutput:
                outputs = forward(inputs)
                passes.append(outputs["logits"])
                return outputs

            # One pass over the batch twice: each copy draws its own dropout, and processes
            # exchange their gradients once.
            doubled = {name: torch.cat([tensor, tensor]) for name, tensor in batch.items()}
            both = loss(remembered, doubled, 2 * items)
            first, second = passes[0].float().chunk(2)
            return both + self.alpha * divergence(first, second, batch["labels"]) / items

        return loss_with_agreement


def divergence(first: torch.Tensor, second: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Add up (KL(p || q) + KL(q || p)) / 2 over the labelled items.

    first, second: (..., labels), the logits of p and q
    labels:        (...), or with an axis as logits have: each label is then a yes or no of its own
    returns:       a scalar
    """
    if labels.shape == first.shape:
        divergences = (first.sigmoid() - second.sigmoid()) * (first - second)
    else:
        p, q = first.log_softmax(dim=-1), second.log_softmax(dim=-1)
        divergences = ((p.exp() - q.exp()) * (p - q)).sum(dim=-1)
    return divergences[labels != IGNORED].sum() / 2
