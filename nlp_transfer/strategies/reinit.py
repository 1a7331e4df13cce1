"""Re-initialisation: the top layers forget what they learned (Zhang et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nlp_transfer.models.architecture import layers_of
from nlp_transfer.models.fit import check_layers
from nlp_transfer.strategies.base import ADAPTERS, Stage, Strategy
from nlp_transfer.strategies.context import RunContext

if TYPE_CHECKING:
    from nlp_transfer.models.build import LoadedModel


class Reinit(Strategy):
    """Let the top N layers start at random, as the model itself draws them."""

    stage: ClassVar[Stage] = Stage.WEIGHTS
    # Draws weights, before it is decided which of them learn.
    order: ClassVar[int] = 20
    experimental: ClassVar[bool] = True

    excludes: ClassVar[tuple[str, ...]] = (ADAPTERS, "frozen")

    name: Literal["reinit"] = "reinit"
    layers: int = Field(1, ge=1, le=1000, description="how many layers, from the top")

    def choose_weights(self, loaded: LoadedModel, run: RunContext) -> LoadedModel:
        """Draw the weights of the layers anew, from the seed that the head was drawn from."""
        model = loaded.model
        check_layers(model, self.layers, "reinit: layers")
        for layer in layers_of(model).modules[-self.layers :]:
            for module in layer.modules():
                for parameter in module.parameters(recurse=False):
                    # transformers leaves alone what it marked as loaded.
                    parameter._is_hf_initialized = False  # type: ignore[attr-defined]
                model._init_weights(module)
        return loaded
