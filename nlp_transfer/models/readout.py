"""A model in, the same with one layer more out, behind which each place holds the mean of all.

The readout is a layer of the model's own family, of fixed weights: queries and keys are zero, so
that its attention is uniform over the pieces that are not padding; values are what the layer below
gives, and their mean is scaled so much that the residual beside it all but vanishes; the
feed-forward part adds zero. What is left is LayerNorm(mean + own / 1024), which a head reads
wherever it reads. So a model that pools by the mean is a plain one of transformers, with one layer
more in its configuration.

Its weights are buffers, not parameters: nothing that learns, decays, counts or adapts parameters
meets them, and files hold them by the names of any layer's weights.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import SETTINGS, encoder, stack_of

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel

_SCALE = 1024.0
"""Of the mean over the residual: a power of two is exact in every precision, and larger ones
overflow fp16."""
_VALUES = re.compile(r"(.*\.)?v(alue)?(_lin|_proj)?")
"""How the families call the projection of attention to values."""
_TOLERANCE = 1e-4


def has_readout(config: PreTrainedConfig) -> bool:
    """Tell whether the last layer of a model gathers the mean of the pieces."""
    said = getattr(config, SETTINGS, None)
    return isinstance(said, dict) and said.get("pooling") == "mean"


def add_readout(model: PreTrainedModel) -> bool:
    """Put a readout behind the layers of a model; False: it is of a family that cannot have one.

    That it computes the mean, and that the model is read again from its configuration, is tried.
    """
    name, layers = stack_of(model)
    if not name or len(layers) != model.config.num_hidden_layers:
        return False
    readout = copy.deepcopy(layers[-1], {id(model.config): model.config})  # it attends as they do
    if not _set_weights(readout):
        return False
    for part in readout.modules():
        if hasattr(part, "layer_idx"):  # by which it finds its place in a cache, that of a prefix
            setattr(part, "layer_idx", len(layers))  # noqa: B010
    layers.append(readout)
    model.config.num_hidden_layers += 1
    if not (_reloads(model) and _computes_mean(model)):
        del layers[-1]
        model.config.num_hidden_layers -= 1
        return False
    _fix(readout)
    setattr(model.config, SETTINGS, {**getattr(model.config, SETTINGS, {}), "pooling": "mean"})
    return True


def drop_readout(model: PreTrainedModel) -> None:
    """Take the readout of a model away, if it has one."""
    if not has_readout(model.config):
        return
    _, layers = stack_of(model)
    del layers[-1]
    model.config.num_hidden_layers -= 1
    said = getattr(model.config, SETTINGS)
    setattr(model.config, SETTINGS, {key: said[key] for key in said if key != "pooling"})


def hold_readout(model: PreTrainedModel, missing: frozenset[str], where: str) -> frozenset[str]:
    """Fix the readout of a model that was read from files; those of an adapter's base lack it.

    missing: weights that the files lack
    returns: those of them that are there now
    raises:  UserError where the model cannot have a readout, whatever its configuration says
    """
    name, layers = stack_of(model)
    if len(layers) < 2 or len(layers) != model.config.num_hidden_layers:
        raise UserError(
            f"{where}: config.json says that its last layer gathers the mean of the pieces "
            f"({SETTINGS}: pooling), which no {model.config.model_type!r} model of nlpt does. Copy "
            "the model again, or take this line out."
        )
    absent = frozenset(
        weight for weight in missing if weight.startswith(f"{name}.{len(layers) - 1}.")
    )
    if absent and not _set_weights(layers[-1]):
        return frozenset()
    _fix(layers[-1])
    return absent


def _set_weights(layer: nn.Module) -> bool:
    """Let a layer gather the mean; False: it is built otherwise."""
    import torch
    from torch import nn

    linear = {name: part for name, part in layer.named_modules() if isinstance(part, nn.Linear)}
    values = [name for name in linear if _VALUES.fullmatch(name)]
    if len(values) != 1:
        return False
    attention = [name for name in linear if name.split(".")[0] == values[0].split(".")[0]]
    value, output = linear[values[0]], linear[attention[-1]]
    square = (value.in_features, value.in_features)
    if {tuple(value.weight.shape), tuple(output.weight.shape)} != {square}:
        return False
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        identity = torch.eye(value.in_features)
        value.weight.copy_(identity)
        output.weight.copy_(_SCALE * identity)
        for norm in layer.modules():
            if isinstance(norm, nn.LayerNorm):
                norm.weight.fill_(1)
    return True


def _fix(layer: nn.Module) -> None:
    """Turn the parameters of a layer into buffers."""
    for part in layer.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, parameter.detach())


def _reloads(model: PreTrainedModel) -> bool:
    """Tell whether a model's configuration asks for the weights that the model has."""
    import torch

    with torch.device("meta"):
        asked = type(model)(copy.deepcopy(model.config))
    return set(asked.state_dict()) == set(model.state_dict())


def _computes_mean(model: PreTrainedModel) -> bool:
    """Try whether the last layer of a model gathers the mean of what the layer below gives."""
    import torch

    rows = len(model.get_input_embeddings().weight)
    pieces = torch.arange(rows - 12, rows).clamp(min=0).view(2, 6)
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]])
    with torch.no_grad():
        states = encoder(model)(
            input_ids=pieces, attention_mask=mask, output_hidden_states=True
        ).hidden_states
    expected = _gathered(states[-2], mask)
    return bool((states[-1] - expected)[mask.bool()].abs().max() < _TOLERANCE)


def _gathered(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Compute what a readout is to compute, (windows, pieces, hidden)."""
    from torch.nn.functional import layer_norm

    shares = (mask / mask.sum(dim=1, keepdim=True)).unsqueeze(-1)
    mean = (states * shares).sum(dim=1, keepdim=True)
    return layer_norm(_SCALE * mean + states, states.shape[-1:])
