"""Layer-wise learning rates: the lower a layer, the less it moves (Howard and Ruder 2018)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nlp_transfer.models.architecture import layers_of
from nlp_transfer.strategies.base import ADAPTERS, RATES, ParameterGroup, Stage, Strategy

if TYPE_CHECKING:
    from torch import nn


class LayerwiseLr(Strategy):
    """Let the learning rate decay from the head, layer by layer, down to the embeddings."""

    stage: ClassVar[Stage] = Stage.RATES
    # Alone in its stage.
    order: ClassVar[int] = 10

    exclusive: ClassVar[tuple[str, ...]] = (RATES,)
    excludes: ClassVar[tuple[str, ...]] = (ADAPTERS,)

    name: Literal["layerwise_lr"] = "layerwise_lr"
    decay: float = Field(
        0.85, gt=0, le=1, description="rate of a layer over that of the layer above it"
    )

    @property
    def in_words(self) -> str:
        return f"rates falling by {self.decay:g} a layer"

    def param_groups(self, model: nn.Module, learning_rate: float) -> Sequence[ParameterGroup]:
        """Group the parameters by layer; what is above all layers learns at `learning_rate`.

        source: ELECTRA (Clark et al. 2020), where the top of N layers has learning_rate * decay,
                the lowest learning_rate * decay^N, the embeddings learning_rate * decay^(N + 1)
        """
        layers = layers_of(model)
        top = len(layers.modules)
        by_depth: dict[int, list[nn.Parameter]] = defaultdict(list)
        for name, parameter in model.named_parameters():
            depth = layers.depth(name)
            by_depth[top if depth is None else depth].append(parameter)
        return [
            {"params": parameters, "lr": learning_rate * self.decay ** (top - depth)}
            for depth, parameters in by_depth.items()
        ]
