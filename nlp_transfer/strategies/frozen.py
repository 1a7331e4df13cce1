"""Feature extraction: the encoder, or its lower part, keeps its pretrained weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nlp_transfer.models.architecture import head_parameters, layers_of
from nlp_transfer.models.fit import check_layers
from nlp_transfer.strategies.base import WEIGHTS, Stage, Strategy
from nlp_transfer.strategies.context import RunContext

if TYPE_CHECKING:
    from nlp_transfer.models.build import LoadedModel


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

    @property
    def in_words(self) -> str:
        if self.layers is None:
            return "encoder frozen"
        names = {0: "embeddings", 1: "lowest layer"}
        return f"{names.get(self.layers, f'lowest {self.layers} layers')} frozen"

    def choose_weights(self, loaded: LoadedModel, run: RunContext) -> LoadedModel:
        """Turn off the gradients of the frozen parameters."""
        model = loaded.model
        if self.layers is not None:
            check_layers(model, self.layers, "frozen: layers")
        head, layers = head_parameters(model, loaded.new_parameters), layers_of(model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name in head or not self._is_frozen(layers.depth(name))
        return loaded

    def _is_frozen(self, depth: int | None) -> bool:
        return self.layers is None or (depth is not None and depth < self.layers)
