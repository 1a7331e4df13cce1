"""L2-SP: weights are drawn to where they started, not to zero (Li et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nlp_transfer.models.architecture import head_parameters
from nlp_transfer.strategies.base import ADAPTERS, Stage, Strategy
from nlp_transfer.strategies.context import Batch, Forward, LossFunction, TrainingData, Wrapper
from nlp_transfer.strategies.parts.penalties import share_of_step

if TYPE_CHECKING:
    import torch


class L2Sp(Strategy):
    """Add alpha * ||w - w0||^2 of the pretrained weights and beta * ||w||^2 of the head."""

    stage: ClassVar[Stage] = Stage.LOSS
    # Penalties add to the loss; sums do not depend on their order but for rounding.
    order: ClassVar[int] = 10

    excludes: ClassVar[tuple[str, ...]] = (ADAPTERS,)
    moves_all_weights: ClassVar[bool] = True
    # It measures weights after the forward pass, when no process has them whole.
    not_under: ClassVar[tuple[Wrapper, ...]] = ("fsdp2", "zero-3")

    name: Literal["l2_sp"] = "l2_sp"
    alpha: float = Field(
        0.01, ge=0, le=1e6, description="pull of pretrained weights to where they started"
    )
    beta: float = Field(0.01, ge=0, le=1e6, description="pull of the head to zero")

    def wrap_loss(self, loss: LossFunction, data: TrainingData) -> LossFunction:
        """Return the loss with the penalty, which counts once a step."""
        import torch

        model = data.loaded.model
        names = head_parameters(model, data.loaded.new_parameters)
        learning = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        head = [parameter for name, parameter in learning if name in names]
        # The loss is composed before a checkpoint is loaded: these are the pretrained weights.
        encoder = [(p, p.detach().clone()) for name, p in learning if name not in names]

        def loss_with_penalty(forward: Forward, batch: Batch, items: torch.Tensor) -> torch.Tensor:
            penalty = torch.zeros((), device=items.device)
            for parameter, start in encoder:
                distance = parameter - start.to(parameter.device)
                penalty = penalty + self.alpha * distance.square().sum()
            for parameter in head:
                penalty = penalty + self.beta * parameter.square().sum()
            return loss(forward, batch, items) + share_of_step(batch, items) * penalty

        return loss_with_penalty
