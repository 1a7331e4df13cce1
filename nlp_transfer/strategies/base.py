"""What a transfer strategy can hook into; every hook does nothing by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from nlp_transfer.recipe import Section
from nlp_transfer.records import Splits

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel, TrainerCallback

LossFunction = Callable[..., "torch.Tensor"]


class Strategy(Section):
    """A way of transferring: its recipe section, whose fields are its hyper-parameters."""

    exclusive: ClassVar[tuple[str, ...]] = ()
    """Decisions that only one strategy of a recipe may take."""

    def exclusive_hooks(self) -> tuple[str, ...]:
        """Name the decisions that this strategy takes alone."""
        return self.exclusive

    def prepare_data(self, splits: Splits) -> Splits:
        """Change the training data."""
        return splits

    def prepare_model(self, model: PreTrainedModel, new_parameters: frozenset[str]) -> Any:
        """Choose which weights learn.

        new_parameters: names of the parameters that start at random
        """
        return model

    def param_groups(self, model: nn.Module, learning_rate: float) -> list[dict[str, Any]] | None:
        """Return optimizer groups, or None for the Trainer's own."""
        return None

    def wrap_loss(self, model: nn.Module, loss: LossFunction) -> LossFunction:
        """Change the loss."""
        return loss

    def callbacks(self) -> list[TrainerCallback]:
        """Return callbacks for the Trainer."""
        return []

    def finish(self, model: Any) -> Any:
        """Turn the trained model into the one that is kept."""
        return model


def head_parameters(model: PreTrainedModel, new_parameters: frozenset[str]) -> set[str]:
    """Name the parameters of the head: all outside the encoder, and all that start at random."""
    encoder = f"{model.base_model_prefix}."
    outside = {name for name, _ in model.named_parameters() if not name.startswith(encoder)}
    return outside | (set(new_parameters) & {name for name, _ in model.named_parameters()})
