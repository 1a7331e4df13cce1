"""The folder of a trained model in, whole or an adapter of another one; that model out."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import SETTINGS
from nlp_transfer.models.checkpoint import resolve_checkpoint
from nlp_transfer.models.finite import check_finite
from nlp_transfer.models.fit import COPY_AGAIN, check_encoder, check_whole
from nlp_transfer.models.loading import (
    ADAPTER_FILE,
    Weights,
    adapter_weights,
    load_adapter,
    load_adapter_config,
    load_config,
    load_model,
)
from nlp_transfer.models.readout import drop_readout, has_readout
from nlp_transfer.models.shared_encoder import share_weights

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig, PeftModel
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel
    from transformers.utils import ModelOutput

    from nlp_transfer.models.loading import AutoClass


def base_of(adapter: PeftConfig) -> Path:
    """Find the checkpoint that an adapter was trained on."""
    return resolve_checkpoint(
        adapter.base_model_name_or_path,
        revision=adapter.revision,
        setting="base model of the adapter",
    )


def read_model(
    auto_class: AutoClass,
    config: PreTrainedConfig,
    folder: Path,
    setting: str,
    *,
    shared: PreTrainedModel | None = None,
) -> PreTrainedModel | PeftModel:
    """Read a model whose files hold all of it, if need be with those of its base.

    config: as `read_config` returns it
    shared: a model whose encoder an adapter uses as it is
    raises: UserError for files that lack something, or hold what is no number
    """
    if (folder / ADAPTER_FILE).is_file():
        model = _with_adapter(auto_class, config, folder, shared, setting)
    else:
        model, weights = load_model(auto_class, folder, config, setting)
        check_whole(model, weights, folder, setting)
    check_finite(model, f"{setting}: {folder}")
    return model


def _with_adapter(
    auto_class: AutoClass,
    config: PreTrainedConfig,
    folder: Path,
    shared: PreTrainedModel | None,
    setting: str,
) -> PreTrainedModel | PeftModel:
    """Load an adapter on its base: merged into it, or beside the encoder of `shared`."""
    adapter = load_adapter_config(folder, setting)
    base = base_of(adapter)
    model, weights = _load_base(auto_class, base, config, setting)
    check_encoder(model, weights, base, setting, advice=COPY_AGAIN)
    if shared is not None:
        share_weights(shared, model)
    _check_head(weights, adapter_weights(folder, setting), folder, setting)
    adapted = load_adapter(model, folder, adapter, setting)
    if adapter.is_prompt_learning:
        return aligned(adapted)
    return adapted if shared is not None else merged(adapted)


def _load_base(
    auto_class: AutoClass, base: Path, config: PreTrainedConfig, setting: str
) -> tuple[PreTrainedModel, Weights]:
    """Load the base of an adapter as that was trained on it: a readout may have been taken off."""
    own = load_config(base, setting)
    if not has_readout(own) or has_readout(config):
        return load_model(auto_class, base, config, setting)
    whole = copy.deepcopy(config)
    whole.num_hidden_layers = own.num_hidden_layers
    setattr(whole, SETTINGS, {**getattr(config, SETTINGS, {}), "pooling": "mean"})
    model, weights = load_model(auto_class, base, whole, setting)
    drop_readout(model)
    return model, weights


def merged(model: PeftModel) -> PreTrainedModel:
    """Put an adapter into the weights of its base, which is changed in place."""
    from peft.utils import ModulesToSaveWrapper

    base = model.get_base_model()
    # peft 0.21 merges IA3 only where what learned whole is a single layer; RoBERTa's head is not.
    for name, part in list(base.named_modules()):
        if isinstance(part, ModulesToSaveWrapper):
            learned = part.unload_and_optionally_merge_module(
                merge=True, safe_merge=False, adapter_names=None
            )
            base.set_submodule(name, learned)
    return model.merge_and_unload()


def aligned(model: PeftModel) -> PeftModel:
    """Let a prompted model answer for the pieces of the text alone, not for virtual tokens."""

    def drop(
        _: nn.Module, __: tuple[()], inputs: Mapping[str, torch.Tensor], outputs: ModelOutput
    ) -> ModelOutput:
        if outputs["logits"].dim() == 3:
            outputs["logits"] = outputs["logits"][:, -inputs["input_ids"].shape[1] :]
        return outputs

    model.register_forward_hook(drop, with_kwargs=True)
    return model


def _check_head(weights: Weights, stored: frozenset[str], folder: Path, setting: str) -> None:
    """Refuse an adapter that does not bring what its base lacks: it would answer at random.

    stored: names of the weights that the adapter holds
    """
    names = {name.removeprefix("base_model.").removeprefix("model.") for name in stored}
    lacking = sorted(weights.random - names)
    if lacking:
        raise UserError(
            f"{setting}: neither the adapter in {folder} nor its base model holds {lacking[0]}, "
            f"so its answers would be random. {COPY_AGAIN}"
        )
