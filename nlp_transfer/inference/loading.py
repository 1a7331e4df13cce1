"""The folder of a trained model in, model, tokenizer and task for prediction out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from nlp_transfer.errors import UserError
from nlp_transfer.inference.labels import output_names
from nlp_transfer.inference.onnx_model import OnnxModel
from nlp_transfer.models.architecture import embedding_rows, position_limit
from nlp_transfer.models.build import LoadedModel, output_labels
from nlp_transfer.models.checkpoint import resolve_checkpoint
from nlp_transfer.models.damage import explaining_damage
from nlp_transfer.models.finite import check_finite
from nlp_transfer.models.fit import (
    check_encoder,
    check_vocabulary,
    check_whole,
)
from nlp_transfer.models.loading import (
    ADAPTED_FILE,
    ADAPTER_FILE,
    Weights,
    adapter_weights,
    config_file,
    load_adapter,
    load_adapter_config,
    load_config,
    load_model,
    load_tokenizer,
)
from nlp_transfer.models.shared_encoder import share_weights
from nlp_transfer.recipe import ModelSection
from nlp_transfer.strategies.prompt import aligned
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.classification.task import ClassificationTask
from nlp_transfer.tasks.ner.foreign import ForeignNerTask, foreign_task
from nlp_transfer.tasks.ner.task import NerTask

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedConfig, PreTrainedModel

SETTINGS_KEY = "nlp_transfer"
"""Where a model's config.json keeps the task and the window settings it was trained with."""

_WINDOWS = {"max_pieces": 256, "overlap": 64}
"""How a model that was trained elsewhere reads long texts, where it has positions for so many."""
_TAGGER, _CLASSIFIER = "ForTokenClassification", "ForSequenceClassification"
_COPY = "Copy the model again with all its files, or train it anew."


def load_trained(
    folder: Path,
    setting: str,
    *,
    device: str,
    onnx: bool,
    shared: PreTrainedModel | None = None,
    scheme: str | None = None,
) -> tuple[LoadedModel, Task, dict[str, Any]]:
    """Load a model for prediction, an adapter on top of its base if it is one.

    setting: the argument or recipe key that named it, for error messages
    device:  from `resolve_device`
    onnx:    it is an exported model, which onnxruntime computes
    shared:  a model whose encoder an adapter uses as it is
    scheme:  of the tags of a model that was trained elsewhere; None: told from its labels
    returns: model and tokenizer, its task, and the settings it was trained with
    """
    from nlp_transfer.models.fast_cpu import speed_up

    if not config_file(folder).is_file():
        raise UserError(
            f"{folder}: an adapter without {ADAPTED_FILE} does not say its labels. Copy the "
            f"{ADAPTED_FILE} of its run beside {ADAPTER_FILE}."
        )
    config = _configuration(folder, setting)
    settings = _settings(config, folder, setting)
    task = _task(config, settings, folder, scheme)
    if isinstance(task, ForeignNerTask):
        settings = {**settings, "scheme": task.scheme}
    tokenizer = load_tokenizer(folder, setting)
    if onnx:
        check_vocabulary(config.vocab_size, tokenizer, folder, setting)
        stand_in: Any = OnnxModel(folder, config)
        return LoadedModel(stand_in, tokenizer, frozenset()), task, {**_WINDOWS, **settings}
    if (folder / ADAPTER_FILE).is_file():
        model = _with_adapter(task.head.auto_class, config, folder, shared, setting)
    else:
        model, weights = load_model(task.head.auto_class, folder, config, setting)
        check_whole(model, weights, folder, setting)
    check_finite(model, f"{setting}: {folder}")
    check_vocabulary(embedding_rows(model), tokenizer, folder, setting)
    settings = _windows(model, settings, folder, setting)
    setattr(model.config, SETTINGS_KEY, settings)
    model.to(device)
    speed_up(model)
    return LoadedModel(model, tokenizer, frozenset()), task, settings


def base_of(adapter: PeftConfig) -> Path:
    """Find the checkpoint that an adapter was trained on."""
    return resolve_checkpoint(
        adapter.base_model_name_or_path,
        revision=adapter.revision,
        setting="base model of the adapter",
    )


def _with_adapter(
    auto_class: Any,
    config: PreTrainedConfig,
    folder: Path,
    shared: PreTrainedModel | None,
    setting: str,
) -> Any:
    """Load an adapter on its base: merged into it, or beside the encoder of `shared`."""
    adapter = load_adapter_config(folder, setting)
    base = base_of(adapter)
    model, weights = load_model(auto_class, base, config, setting)
    check_encoder(model, weights, base, setting, advice=_COPY)
    if shared is not None:
        share_weights(shared, model)
    _check_head(weights, adapter_weights(folder, setting), folder, setting)
    adapted = load_adapter(model, folder, adapter, setting)
    if adapter.is_prompt_learning:
        return aligned(adapted)
    return adapted if shared is not None else adapted.merge_and_unload()


def _check_head(weights: Weights, stored: frozenset[str], folder: Path, setting: str) -> None:
    """Refuse an adapter that does not bring what its base lacks: it would answer at random.

    stored: names of the weights that the adapter holds
    """
    names = {name.removeprefix("base_model.").removeprefix("model.") for name in stored}
    lacking = sorted(weights.random - names)
    if lacking:
        raise UserError(
            f"{setting}: neither the adapter in {folder} nor its base model holds {lacking[0]}, "
            f"so its answers would be random. {_COPY}"
        )


def _windows(
    model: PreTrainedModel, settings: dict[str, Any], folder: Path, setting: str
) -> dict[str, Any]:
    """Add how a model reads long texts where it does not say, within its positions."""
    limit = position_limit(model)
    if limit is None:
        return {**_WINDOWS, **settings}
    if settings.get("max_pieces", 0) > limit:
        raise UserError(
            f"{setting}: {SETTINGS_KEY}.max_pieces in {config_file(folder)} is "
            f"{settings['max_pieces']}, the model reads at most {limit} pieces. Correct it there."
        )
    return {**_WINDOWS, "max_pieces": min(_WINDOWS["max_pieces"], limit), **settings}


def _configuration(folder: Path, setting: str) -> PreTrainedConfig:
    """Read the configuration of a model with a head of ours; its labels as the file says."""
    with explaining_damage(folder, setting):
        said = json.loads(config_file(folder).read_text("utf-8"))
    if not isinstance(said, dict):
        raise UserError(f"{setting}: {config_file(folder)} is no model's configuration. {_COPY}")
    heads = str(said.get("architectures") or "no architecture named")
    if _TAGGER not in heads and _CLASSIFIER not in heads:
        raise UserError(
            f"{folder}: the model has no head for NER or classification ({heads}). Fine-tune it "
            "first with nlpt finetune."
        )
    names = output_names(said, f"{setting}: {config_file(folder)}")
    config = load_config(folder, setting)
    config.id2label = dict(enumerate(names))
    config.label2id = {name: number for number, name in enumerate(names)}
    return config


def _settings(config: PreTrainedConfig, folder: Path, setting: str) -> dict[str, Any]:
    """Return what we keep with a model of ours; nothing for one trained elsewhere."""
    settings = getattr(config, SETTINGS_KEY, None) or {}
    if not isinstance(settings, dict) or not isinstance(settings.get("task", {}), dict):
        raise UserError(
            f"{setting}: {SETTINGS_KEY} in {config_file(folder)} is not what nlpt writes. {_COPY}"
        )
    try:
        windows = {name: settings[name] for name in _WINDOWS if name in settings}
        ModelSection.model_validate({"checkpoint": str(folder), **windows})
    except ValidationError as error:
        raise _unreadable(error, folder, setting) from None
    return settings


def _task(
    config: PreTrainedConfig, settings: dict[str, Any], folder: Path, scheme: str | None
) -> Task:
    """Tell the task from the saved settings, or from the head of a model trained elsewhere."""
    heads = " ".join(config.architectures or [])
    is_tagger = _TAGGER in heads
    multi_label = config.problem_type == "multi_label_classification"
    _check_chooses(config, folder, multi_label=multi_label)
    own = settings.get("task")
    name = "ner" if is_tagger else "classification"
    if own and own.get("name") != name:
        raise UserError(
            f"{folder}: the model was trained for {own.get('name')!r}, but its head is for {name} "
            f"({heads}). {_COPY}"
        )
    if is_tagger and not own:
        return foreign_task(output_labels(config), scheme or settings.get("scheme"), str(folder))
    if scheme is not None:
        raise UserError(
            f"--scheme: {folder} is no NER model that was trained elsewhere: nlpt's have IOB2 "
            "tags, classes have no scheme. Leave --scheme out."
        )
    try:
        if is_tagger:
            return NerTask.model_validate(own)
        return ClassificationTask.model_validate(own or {"name": name, "multi_label": multi_label})
    except ValidationError as error:
        raise _unreadable(error, folder, "MODEL") from None


def _check_chooses(config: PreTrainedConfig, folder: Path, *, multi_label: bool) -> None:
    """Refuse a head that does not choose between labels."""
    if config.problem_type == "regression" or (len(config.id2label) == 1 and not multi_label):
        raise UserError(
            f"{folder}: the model's head gives a number (regression: {len(config.id2label)} "
            f"output, problem_type {config.problem_type!r}), it does not choose between labels. "
            "Fine-tune it on labelled texts with nlpt finetune: its encoder is used, its head new."
        )


def _unreadable(error: ValidationError, folder: Path, setting: str) -> UserError:
    fault = error.errors()[0]
    where = ".".join(map(str, fault["loc"]))
    return UserError(
        f"{setting}: {SETTINGS_KEY} in {config_file(folder)}: {where} is "
        f"{fault['input']!r:.60}, which nlpt did not write. {_COPY}"
    )
