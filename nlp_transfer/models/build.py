"""A checkpoint and the head that it gets in, a model with named labels out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import (
    embedding_rows,
    is_fine_tuned,
    named_parameters,
    stack_of,
)
from nlp_transfer.models.carry_over import keep_layers, with_new_head
from nlp_transfer.models.finite import check_finite
from nlp_transfer.models.fit import check_encoder, check_length, check_vocabulary
from nlp_transfer.models.hostile import check_size, weight_files
from nlp_transfer.models.loading import (
    ADAPTER_FILE,
    CONFIG_FILE,
    load_config,
    load_model,
    load_tokenizer,
    set_attention,
    without_weights,
)
from nlp_transfer.models.pooling import check_pooling, pool_by_mean, set_own_pooling, wanted_pooling
from nlp_transfer.models.readout import drop_readout, has_readout
from nlp_transfer.recipe import ModelSection

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from nlp_transfer.models.known import Known
    from nlp_transfer.models.loading import AutoClass

log = logging.getLogger(__name__)

_KEY = "model.checkpoint"
_OR_ALLOW = (
    "Correct config.json or the files, take another checkpoint, or let what is missing start at "
    "random with model.allow_random=true."
)
"""What to do about a checkpoint whose files lack weights of its encoder."""


@dataclass(frozen=True)
class NewHead:
    """The head that a checkpoint gets."""

    auto_class: AutoClass
    """The transformers auto class of models with such a head."""
    labels: tuple[str, ...]
    """Names of its outputs, in order."""
    problem_type: str | None = None
    """As transformers names what the head solves; None: it has no name for it."""
    reads_pieces: bool = False
    """It answers for each piece, so that there is nothing to pool."""


@dataclass(frozen=True)
class LoadedModel:
    """A model with a head for the task, and its tokenizer."""

    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    new_parameters: frozenset[str] = frozenset()
    """Names of the parameters that the checkpoint did not have: they start at random."""
    known_labels: frozenset[str] = frozenset()
    """Labels whose rows of the output layer come from another model."""
    known: Known | None = None
    """Where the texts that it knows lie; None: it takes all for such."""


def build_model(folder: Path, head: NewHead, options: ModelSection) -> LoadedModel:
    """Load a checkpoint, give it a head with named labels, and say what starts at random."""
    config = _config(folder, options)
    _check_is_encoder(config, head.auto_class, folder)
    check_pooling(options, pooled=not head.reads_pieces)
    fine_tuned, averaged = is_fine_tuned(config), has_readout(config)
    pooling = None if head.reads_pieces else wanted_pooling(folder, config, options)
    averages_itself = set_own_pooling(config, pooling)
    config.num_labels = len(head.labels)
    config.id2label = dict(enumerate(head.labels))
    config.label2id = {name: index for index, name in enumerate(head.labels)}
    if head.problem_type is not None:
        config.problem_type = head.problem_type
    if options.dropout is not None:
        _set_dropout(config, options.dropout)
    model, new = _read(head.auto_class, config, folder, options)
    drop_readout(model)  # of fixed weights, and in the way of what counts layers
    set_attention(model, options.attention)
    if fine_tuned:
        # A head that fits by its size may still be for other labels, or for others' order.
        log.info("%s is fine-tuned: encoder carried over, head new", options.checkpoint)
        model, random = with_new_head(model)
        new |= random
    if options.layers is not None:
        model = keep_layers(model, options.layers)
    if pooling == "mean" and not averages_itself:
        new |= pool_by_mean(model, options, anew=not averaged)
    return _with_tokenizer(model, new, folder, options)


def build_masked_lm(folder: Path, options: ModelSection) -> LoadedModel:
    """Load a checkpoint with its language-modelling head; one that it lacks starts at random.

    Whatever a recipe trusts: code that a checkpoint brings is run by finetune and prepare only.
    """
    from transformers import MODEL_FOR_MASKED_LM_MAPPING, AutoModelForMaskedLM

    options = options.model_copy(update={"trust_remote_code": False})
    config = _config(folder, options)
    if type(config) not in MODEL_FOR_MASKED_LM_MAPPING:
        raise UserError(f"{_KEY}: a {config.model_type!r} model does not guess masked words.")
    model, new = _read(AutoModelForMaskedLM, config, folder, options)
    drop_readout(model)
    return _with_tokenizer(model, new, folder, options)


def outline(folder: Path, auto_class: AutoClass, options: ModelSection) -> PreTrainedModel:
    """Build the encoder of a checkpoint as a recipe keeps it, without any weight in memory.

    auto_class: of the models that it is to become
    raises:     UserError for what `build_model` refuses by the configuration alone
    """
    config = _config(folder, options)
    _check_is_encoder(config, auto_class, folder)
    check_size(config, weight_files(folder, "pytorch_model*.bin"), f"{_KEY}: {folder}")
    model = without_weights(config, folder, _KEY, trust_remote_code=options.trust_remote_code)
    drop_readout(model)
    if options.layers is not None:
        kept = options.layers if isinstance(options.layers, int) else len(options.layers)
        del stack_of(model)[1][kept:]
    return model


def log_new_parameters(loaded: LoadedModel, checkpoint: str, *, head: str) -> None:
    """Say how many parameters start at random.

    head: what people call them
    """
    new, total = count_new(loaded), sum(p.numel() for p in loaded.model.parameters())
    log.info(
        "%s: %s of %s parameters start at random (the %s)",
        checkpoint,
        f"{new:,}",
        f"{total:,}",
        head,
    )


def count_new(loaded: LoadedModel) -> int:
    """Count the parameters that start at random."""
    return sum(
        p.numel() for name, p in named_parameters(loaded.model) if name in loaded.new_parameters
    )


def _config(folder: Path, options: ModelSection) -> PreTrainedConfig:
    if (folder / ADAPTER_FILE).is_file() or not (folder / CONFIG_FILE).is_file():
        raise UserError(
            f"{_KEY}: {folder} holds an adapter, not a whole model. Start from its base "
            "model, or from a run that merges the adapter (strategies lora: merge: true)."
        )
    return load_config(folder, _KEY, trust_remote_code=options.trust_remote_code)


def _check_is_encoder(config: PreTrainedConfig, auto_class: AutoClass, folder: Path) -> None:
    from transformers import MODEL_FOR_MASKED_LM_MAPPING

    known = type(config) in auto_class._model_mapping
    if not known or type(config) not in MODEL_FOR_MASKED_LM_MAPPING or config.is_encoder_decoder:
        raise UserError(
            f"{_KEY}: {folder} is a {config.model_type!r} model, which is not an encoder "
            "for this task. Choose one of the BERT family: bert, roberta, distilbert, electra, "
            "albert, deberta, xlm-roberta, camembert, mpnet, modernbert..."
        )


def _read(
    auto_class: AutoClass, config: PreTrainedConfig, folder: Path, options: ModelSection
) -> tuple[PreTrainedModel, frozenset[str]]:
    """Read the weights of a checkpoint; with them, name the parameters that it has not."""
    model, weights = load_model(
        auto_class, folder, config, _KEY, trust_remote_code=options.trust_remote_code
    )
    if not options.allow_random:
        check_encoder(model, weights, folder, _KEY, advice=_OR_ALLOW)
    check_finite(model, f"{_KEY}: {folder}")
    return model, weights.random


def _with_tokenizer(
    model: PreTrainedModel, new: frozenset[str], folder: Path, options: ModelSection
) -> LoadedModel:
    """Add the tokenizer of a checkpoint, and refuse windows or pieces that the model has not."""
    check_length(model, options)
    tokenizer = load_tokenizer(folder, trust_remote_code=options.trust_remote_code)
    check_vocabulary(embedding_rows(model), tokenizer, folder, _KEY)
    return LoadedModel(model, tokenizer, new)


# How the configurations of the families name their dropout rates.
_DROPOUTS = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout",
    "embedding_dropout", "mlp_dropout",
)  # fmt: skip


def _set_dropout(config: PreTrainedConfig, rate: float) -> None:
    """Set every dropout rate of the encoder."""
    names = [name for name in _DROPOUTS if hasattr(config, name)]
    if not names:
        raise UserError(
            f"model.dropout: a {config.model_type!r} configuration has no dropout rate. "
            "Leave model.dropout out."
        )
    for name in names:
        setattr(config, name, rate)
