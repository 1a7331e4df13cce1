"""Feature extraction: the encoder, or its lower part, keeps its pretrained weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nlp_transfer.strategies.base import WEIGHTS, Stage, Strategy, head_parameters
from nlp_transfer.strategies.parts.layers import check_layers, depth

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Frozen(Strategy):
    """Freeze the encoder, or with `layers: N` its embeddings and lowest N layers."""

    stage: ClassVar[Stage] = Stage.WEIGHTS
    # As full.
    order: ClassVar[int] = 40

    exclusive: ClassVar[tuple[str, ...]] = (WEIGHTS,)

    name: Literal["frozen"] = "frozen"
    layers: int | None = Field(
        None,
        ge=0,
        le=1000,
        examples=[2],
        description="freeze embeddings and the lowest N layers; null: the whole encoder",
    )

    def prepare_model(
        self, model: PreTrainedModel, new_parameters: frozenset[str]
    ) -> PreTrainedModel:
        """Turn off the gradients of the frozen parameters."""
        if self.layers is not None:
            check_layers(model, self.layers, "frozen: layers")
        head = head_parameters(model, new_parameters)
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name in head or not self._is_frozen(name)
        return model

    def _is_frozen(self, name: str) -> bool:
        if self.layers is None:
            return True
        layer = depth(name)
        return layer is not None and layer < self.layers
