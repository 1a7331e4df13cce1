"""A loaded checkpoint in, the part of it that a run starts from out."""

from __future__ import annotations

import copy
import logging
import re
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import encoder, head_parameters, layers_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)


def with_new_head(model: PreTrainedModel) -> tuple[PreTrainedModel, frozenset[str]]:
    """Keep a model's encoder, and start everything outside it at random.

    returns: the model, and the names of the parameters that start at random
    """
    fresh = type(model)(model.config).eval()
    encoder(fresh).load_state_dict(encoder(model).state_dict())
    return fresh, frozenset(head_parameters(fresh))


def keep_layers(model: PreTrainedModel, layers: int | tuple[int, ...]) -> PreTrainedModel:
    """Build a shallower model of some of a model's layers; it reloads from its own config.

    layers: how many, evenly spread from the first to the last, or their numbers from 0
    raises: UserError when the model has no such layer, or its layers are one and the same
    """
    total: int = model.config.num_hidden_layers
    known = layers_of(model)
    if len(known.modules) != total:
        raise UserError(
            f"model.layers: the layers of {model.config.model_type!r} cannot be told apart "
            "(ALBERT has one for all). Leave model.layers out."
        )
    kept = _numbers(layers, total)
    log.info("model.layers: keeps layers %s of %d", ", ".join(map(str, kept)), total)
    config = copy.deepcopy(model.config)
    config.num_hidden_layers = len(kept)
    if getattr(config, "layer_types", None):  # ModernBERT: which layers see the whole window
        config.layer_types = [config.layer_types[layer] for layer in kept]
    shallow = type(model)(config).eval()
    places = {f"{known.name}.{layer}.": place for place, layer in enumerate(kept)}
    weights = {}
    for name, tensor in model.state_dict().items():
        layer = re.match(rf"{re.escape(known.name)}\.\d+\.", name)
        if not layer:
            weights[name] = tensor
        elif layer[0] in places:
            weights[f"{known.name}.{places[layer[0]]}.{name.removeprefix(layer[0])}"] = tensor
    if set(weights) != set(shallow.state_dict()):
        raise UserError(
            f"model.layers: layer {kept[0]} of this checkpoint is built otherwise than its first "
            "one. Let model.layers begin with 0."
        )
    shallow.load_state_dict(weights)
    return shallow


def _numbers(layers: int | tuple[int, ...], total: int) -> tuple[int, ...]:
    """Number the layers to keep; spread evenly, the first and the last are among them."""
    wanted = layers if isinstance(layers, int) else max(layers) + 1
    if wanted > total:
        raise UserError(
            f"model.layers is {layers if isinstance(layers, int) else list(layers)}, this "
            f"checkpoint has {total} layers (0 to {total - 1})."
        )
    if not isinstance(layers, int):
        return layers
    step = (total - 1) / max(1, layers - 1)
    return tuple(round(place * step) for place in range(layers))
