"""Plain penalties on the size of the weights: L1 (lasso) and L2 (ridge)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from nlp_transfer.strategies.base import Stage, Strategy
from nlp_transfer.strategies.context import Batch, Forward, LossFunction, TrainingData, Wrapper
from nlp_transfer.strategies.parts.penalties import share_of_step

if TYPE_CHECKING:
    import torch


class Penalty(Strategy):
    """Add l1 * sum |w| and l2 * sum w^2 over the weights that learn."""

    stage: ClassVar[Stage] = Stage.LOSS
    # As l2_sp.
    order: ClassVar[int] = 20

    moves_all_weights: ClassVar[bool] = True
    # It measures weights after the forward pass, when no process has them whole.
    not_under: ClassVar[tuple[Wrapper, ...]] = ("fsdp2", "zero-3")

    name: Literal["penalty"] = "penalty"
    l1: float = Field(
        0.0, ge=0, le=1e6, examples=[1e-6], description="weight of the sum of absolute values"
    )
    l2: float = Field(
        0.0, ge=0, le=1e6, examples=[1e-4], description="weight of the sum of squares"
    )

    @model_validator(mode="after")
    def _weighs_something(self) -> Penalty:
        if not self.l1 and not self.l2:
            raise ValueError("l1 and l2 are both 0; set one of them")
        return self

    def wrap_loss(self, loss: LossFunction, data: TrainingData) -> LossFunction:
        """Return the loss with the penalty, which counts once a step."""

        def loss_with_penalty(forward: Forward, batch: Batch, items: torch.Tensor) -> torch.Tensor:
            total = loss(forward, batch, items)
            share = share_of_step(batch, items)
            for parameter in data.loaded.model.parameters():
                if parameter.requires_grad:
                    size = self.l1 * parameter.abs().sum() + self.l2 * parameter.square().sum()
                    total = total + share * size
            return total

        return loss_with_penalty
