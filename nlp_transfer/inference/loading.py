"""The folder of a trained model in, model, tokenizer and task for prediction out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from nlp_transfer.errors import UserError
from nlp_transfer.inference.onnx_model import OnnxModel
from nlp_transfer.models.architecture import embedding_rows, output_labels, position_limit
from nlp_transfer.models.build import LoadedModel
from nlp_transfer.models.fit import COPY_AGAIN, check_vocabulary
from nlp_transfer.models.loading import load_tokenizer
from nlp_transfer.models.saved import Settings, not_ours, read_config
from nlp_transfer.models.trained import read_model
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.classification.task import ClassificationTask
from nlp_transfer.tasks.ner.foreign import ForeignNerTask, foreign_task
from nlp_transfer.tasks.ner.task import NerTask

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

_TAGGER = "ForTokenClassification"


def load_trained(
    folder: Path,
    setting: str,
    *,
    device: str,
    onnx: bool,
    shared: PreTrainedModel | None = None,
    scheme: str | None = None,
) -> tuple[LoadedModel, Task, Settings]:
    """Load a model for prediction, an adapter on top of its base if it is one.

    setting: the argument or recipe key that named it, for error messages
    device:  from `resolve_device`
    onnx:    it is an exported model, which onnxruntime computes
    shared:  a model whose encoder an adapter uses as it is
    scheme:  of the tags of a model that was trained elsewhere; None: told from its labels
    returns: model and tokenizer, its task, and the settings it was trained with
    """
    config = read_config(folder, setting)
    settings = Settings.of(config, folder, setting)
    task = _task(config, settings, folder, scheme)
    if isinstance(task, ForeignNerTask):
        settings = replace(settings, scheme=task.scheme)
    tokenizer = load_tokenizer(folder, setting)
    if onnx:
        check_vocabulary(config.vocab_size, tokenizer, folder, setting)
        return LoadedModel(OnnxModel(folder, config), tokenizer), task, settings
    model = read_model(task.head.auto_class, config, folder, setting, shared=shared)
    check_vocabulary(embedding_rows(model), tokenizer, folder, setting)
    settings = settings.within(position_limit(model), folder, setting)
    settings.keep_in(model.config)
    model.to(device)
    return LoadedModel(model, tokenizer), task, settings


def _task(config: PreTrainedConfig, settings: Settings, folder: Path, scheme: str | None) -> Task:
    """Tell the task from the saved settings, or from the head of a model trained elsewhere."""
    heads = " ".join(config.architectures or [])
    is_tagger = _TAGGER in heads
    multi_label = config.problem_type == "multi_label_classification"
    _check_chooses(config, folder, multi_label=multi_label)
    own = settings.task
    name = "ner" if is_tagger else "classification"
    if own and own.get("name") != name:
        raise UserError(
            f"{folder}: the model was trained for {own.get('name')!r}, but its head is for {name} "
            f"({heads}). {COPY_AGAIN}"
        )
    if is_tagger and not own:
        return foreign_task(output_labels(config), scheme or settings.scheme, str(folder))
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
        raise not_ours(error, folder, "MODEL") from None


def _check_chooses(config: PreTrainedConfig, folder: Path, *, multi_label: bool) -> None:
    """Refuse a head that does not choose between labels."""
    if config.problem_type == "regression" or (len(config.id2label) == 1 and not multi_label):
        raise UserError(
            f"{folder}: the model's head gives a number (regression: {len(config.id2label)} "
            f"output, problem_type {config.problem_type!r}), it does not choose between labels. "
            "Fine-tune it on labelled texts with nlpt finetune: its encoder is used, its head new."
        )
