"""Names of parameters in, the layer of the encoder that each belongs to out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError

if TYPE_CHECKING:
    from torch import nn

_LAYER = re.compile(r"\b(?:layers?|albert_layer_groups)\.(\d+)\.")

EMBEDDINGS = -1
"""The depth of the embeddings; layers count from 0."""


def depth(name: str) -> int | None:
    """Return the layer of a parameter, EMBEDDINGS, or None for one that is above all layers."""
    layer = _LAYER.search(name)
    if layer:
        return int(layer[1])
    return EMBEDDINGS if "embedding" in name else None


def count_layers(model: nn.Module) -> int:
    """Count the layers of an encoder that have weights of their own (ALBERT shares one)."""
    depths = (depth(name) for name, _ in model.named_parameters())
    return len({layer for layer in depths if layer is not None and layer >= 0})


def check_layers(model: nn.Module, wanted: int, setting: str) -> None:
    """Refuse more layers than the encoder has.

    setting: the recipe key that asks for them
    """
    found = count_layers(model)
    if wanted > found:
        raise UserError(
            f"strategies {setting} is {wanted}, this checkpoint has {found} layers of its own."
        )
