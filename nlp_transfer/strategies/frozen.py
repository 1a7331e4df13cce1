"""Feature extraction: the encoder, or its lower part, keeps its pretrained weights."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nlp_transfer.errors import UserError
from nlp_transfer.strategies.base import Strategy, head_parameters

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_LAYER = re.compile(r"\b(?:layers?|albert_layer_groups)\.(\d+)\.")


class Frozen(Strategy):
    """Freeze the encoder, or with `layers: N` its embeddings and lowest N layers."""

    exclusive: ClassVar[tuple[str, ...]] = ("which weights learn",)

    name: Literal["frozen"] = "frozen"
    layers: int | None = Field(
        None, ge=0, description="freeze embeddings and the lowest N layers; null: the whole encoder"
    )

    def prepare_model(
        self, model: PreTrainedModel, new_parameters: frozenset[str]
    ) -> PreTrainedModel:
        """Turn off the gradients of the frozen parameters."""
        if self.layers is not None:
            self._check_layers(model)
        head = head_parameters(model, new_parameters)
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name in head or not self._is_frozen(name)
        return model

    def _is_frozen(self, name: str) -> bool:
        if self.layers is None:
            return True
        layer = _LAYER.search(name)
        if layer:
            return int(layer[1]) < self.layers
        return "embedding" in name

    def _check_layers(self, model: PreTrainedModel) -> None:
        found = {int(m[1]) for name, _ in model.named_parameters() if (m := _LAYER.search(name))}
        if self.layers is not None and self.layers > len(found):
            raise UserError(
                f"strategies frozen: layers is {self.layers}, this checkpoint has {len(found)} "
                "layers of its own."
            )
