"""What a head reads of a text: its first piece, or the mean of all of them.

A sentence encoder was trained to have its pieces averaged; its first piece says little by itself.
Files that sentence-transformers wrote beside a checkpoint tell how it was trained.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_transfer.errors import UserError
from nlp_transfer.files import write_json
from nlp_transfer.models.architecture import in_encoder, is_fine_tuned, output_layer
from nlp_transfer.models.loading import load_config
from nlp_transfer.models.readout import add_readout, has_readout
from nlp_transfer.recipe import ModelSection

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

log = logging.getLogger(__name__)

_KEY = "model.pooling"
_FIRST = {"cls": "cls", "late": "bos"}
"""What families that pool by themselves call the first piece, by what they read if not told."""
_LARGEST = 2**20  # bytes
_BEFORE = "pooling_mode_"
"""How the keys of earlier versions begin, which hold true or false; none is true: the mean."""
_START = 0.3
"""Times the identity is where a head's own dense layer starts: what it reads goes through, and its
tanh is far from its bounds."""


def check_pooling(options: ModelSection, *, pooled: bool) -> None:
    """Refuse a way of pooling for a head that reads every piece by itself."""
    if options.pooling != "auto" and not pooled:
        raise UserError(
            f"{_KEY} is {options.pooling}, but the head of this task answers for each piece: "
            f"nothing is pooled. Leave {_KEY} out."
        )


def wanted_pooling(folder: Path, config: PreTrainedConfig, options: ModelSection) -> str | None:
    """Say how a classifier is to read its texts: first, mean, or as its architecture does (None).

    folder: of the checkpoint
    """
    if options.pooling != "auto":
        return options.pooling
    if is_fine_tuned(config):
        if any("TokenClassification" in name for name in config.architectures or ()):
            log.info(
                "%s: %s; %s was trained to label words, which does not tell how it reads a text. "
                "If it began as a sentence encoder: %s=mean",
                _KEY,
                pooling_of(config),
                options.checkpoint,
                _KEY,
            )
        return "mean" if has_readout(config) else None
    trained = trained_pooling(folder)
    if trained in (None, "first", "mean"):
        return trained
    log.warning(
        "%s: first; %s was trained with the pooling %s, which is not built here",
        _KEY,
        options.checkpoint,
        trained,
    )
    return "first"


def pooling_of(config: PreTrainedConfig) -> str:
    """Tell what the head of a classifier reads."""
    averages = has_readout(config) or getattr(config, "classifier_pooling", None) == "mean"
    return "mean" if averages else "first"


def set_own_pooling(config: PreTrainedConfig, wanted: str | None) -> bool:
    """Let the configuration of a family that pools by itself say what is wanted.

    returns: whether it is one
    """
    if not hasattr(config, "classifier_pooling"):
        return False
    default = type(config)().classifier_pooling
    if default not in _FIRST:
        return False
    if wanted is not None:
        config.classifier_pooling = "mean" if wanted == "mean" else _FIRST[default]
    return True


def pool_by_mean(model: PreTrainedModel, options: ModelSection, *, anew: bool) -> frozenset[str]:
    """Let the head of a model read the mean of the pieces.

    anew:    the checkpoint's own pooler, if it has one, has learned to read something else
    returns: names of the parameters of the checkpoint that start anew
    raises:  UserError where the recipe asks for it and the family cannot; where the checkpoint
             asks for it, the first piece is read
    """
    if not add_readout(model):
        family = model.config.model_type
        if options.pooling == "mean":
            raise UserError(
                f"{_KEY} is mean, but the attention of a {family!r} model cannot be made uniform. "
                f"Leave {_KEY} out, or take another checkpoint (bert, roberta, xlm-roberta, "
                "distilbert, electra, camembert, modernbert...)."
            )
        log.warning(
            "%s: first; %s was trained with the mean of its pieces, which a %r model cannot "
            "compute by a layer more",
            _KEY,
            options.checkpoint,
            family,
        )
        return frozenset()
    log.info("%s: the head reads the mean of the pieces", _KEY)
    return _start_dense(model, anew=anew)


def _start_dense(model: PreTrainedModel, *, anew: bool) -> frozenset[str]:
    """Let the head's own dense layers pass what they read; return the names of their parameters."""
    import torch
    from torch import nn

    started = []
    last = output_layer(model)
    for name, module in model.named_modules():
        is_pooler = "pooler" in name
        own = (is_pooler and anew) if in_encoder(model, name) else name != last
        if (
            not own
            or not isinstance(module, nn.Linear)
            or module.in_features != module.out_features
        ):
            continue
        with torch.no_grad():
            module.weight.copy_(_START * torch.eye(module.in_features))
            module.bias.zero_()
        started += [f"{name}.weight", f"{name}.bias"]
    return frozenset(started)


def trained_pooling(folder: Path) -> str | None:
    """Read how a sentence encoder was trained: mean, first, or another way; None: it is none.

    Files that are not what sentence-transformers writes are told as a way of their own.
    """
    modules = _json(folder / "modules.json")
    if modules is None:
        return None
    listed = modules if isinstance(modules, list) else []
    paths = [
        str(module.get("path"))
        for module in listed
        if isinstance(module, dict) and str(module.get("type")).endswith("Pooling")
    ]
    beside = len(paths) == 1 and paths[0] not in ("", "..") and Path(paths[0]).name == paths[0]
    said = _json(folder / paths[0] / "config.json") if beside else None
    if not isinstance(said, dict):
        return "that its files do not tell"
    modes = _modes(said) or ("that its files do not tell",)
    return "first" if modes == ("cls",) else " and ".join(modes)


def pooling_to_keep(folder: Path) -> str | None:
    """Tell what of a text a checkpoint was trained to be read by: mean or first; None: not told."""
    if has_readout(load_config(folder, "model.checkpoint")):
        return "mean"
    trained = trained_pooling(folder)
    return trained if trained in ("first", "mean") else None


def write_pooling(folder: Path, pooling: str, *, hidden: int) -> None:
    """Say beside a model how its texts are read, as sentence-transformers says it.

    pooling: mean or first
    hidden:  size of a hidden state
    """
    kind, path = "sentence_transformers.models", "1_Pooling"
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": f"{kind}.Transformer"},
        {"idx": 1, "name": "1", "path": path, "type": f"{kind}.Pooling"},
    ]
    said = {
        "word_embedding_dimension": hidden,
        f"{_BEFORE}cls_token": pooling == "first",
        f"{_BEFORE}mean_tokens": pooling == "mean",
    }
    (folder / path).mkdir()
    write_json(folder / path / "config.json", said)
    write_json(folder / "modules.json", modules)


def _modes(said: dict[str, Any]) -> tuple[str, ...]:
    modes = said.get("pooling_mode")
    if modes is None:
        on = [key for key in said if key.startswith(_BEFORE) and said[key] is True]
        return tuple(key.removeprefix(_BEFORE).split("_token")[0] for key in on) or ("mean",)
    listed = modes if isinstance(modes, list) else [modes]
    return tuple(str(mode)[:40] for mode in listed[:6])


def _json(file: Path) -> object:
    """Read a small JSON file; None where there is none, text where it is damaged."""
    try:
        if not file.is_file():
            return None
        return json.loads(file.read_text("utf-8")) if file.stat().st_size <= _LARGEST else ""
    except (ValueError, RecursionError, OSError):
        return ""
