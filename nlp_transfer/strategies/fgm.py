"""FGM: learn also from word embeddings moved in the worst direction (Miyato et al. 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nlp_transfer.strategies.base import Stage, Strategy
from nlp_transfer.strategies.context import Batch, Forward, LossFunction, TrainingData, Wrapper

if TYPE_CHECKING:
    import torch
    from torch import nn


class Fgm(Strategy):
    """Train on every batch twice: as it is, and with adversarial noise on its embeddings."""

    stage: ClassVar[Stage] = Stage.LOSS
    # Computes the loss twice, whatever it is; excludes r_drop.
    order: ClassVar[int] = 40

    # DeepSpeed counts gradients by itself, and does not know of those that only find the noise.
    not_under: ClassVar[tuple[Wrapper, ...]] = ("zero-1", "zero-2", "zero-3")
    excludes: ClassVar[tuple[str, ...]] = ("r_drop",)
    experimental: ClassVar[bool] = True

    name: Literal["fgm"] = "fgm"
    epsilon: float = Field(
        0.03,
        gt=0,
        lt=1,
        description="length of the noise over that of the window's word embeddings, all its pieces "
        "together",
    )

    def wrap_loss(self, loss: LossFunction, data: TrainingData) -> LossFunction:
        """Return the mean of the loss without and with the noise."""
        import torch

        def loss_with_adversary(
            forward: Forward, batch: Batch, items: torch.Tensor
        ) -> torch.Tensor:
            embeddings = data.loaded.model.get_input_embeddings()
            embedded: list[torch.Tensor] = []

            def watch(_module: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
                # Frozen embeddings have no gradient of their own.
                watched = output if output.requires_grad else output.detach().requires_grad_()
                embedded.append(watched)
                return watched

            with embeddings.register_forward_hook(watch):
                clean = loss(forward, batch, items)
            # Only the direction counts; the sum, unlike the mean, does not underflow in fp16.
            (gradient,) = torch.autograd.grad(clean * items, embedded[0], retain_graph=True)
            length = self.epsilon * norm(embedded[0].detach(), batch["attention_mask"])
            noise = length[:, None, None] * direction(gradient)
            with embeddings.register_forward_hook(lambda _module, _inputs, output: output + noise):
                return (clean + loss(forward, batch, items)) / 2

        return loss_with_adversary


def norm(embedded: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Measure the length of each window's embedded pieces, without those that are padding.

    embedded: (windows, pieces, width)
    mask:     (windows, pieces), 0 where a piece is padding
    returns:  (windows,)
    """
    length: torch.Tensor = (embedded * mask[..., None]).norm(dim=(1, 2))
    return length


def direction(gradient: torch.Tensor) -> torch.Tensor:
    """Scale each window's gradient to length 1; one without labels keeps its zeros.

    gradient: (windows, pieces, width)
    returns:  the same shape
    """
    length: torch.Tensor = gradient.norm(dim=(1, 2), keepdim=True)
    return gradient / length.where(length > 0, 1)
