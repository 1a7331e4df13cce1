"""The folder of a trained model in, model, tokenizer and task for prediction out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from nlp_transfer.inference.onnx_model import OnnxModel
from nlp_transfer.models.architecture import embedding_rows, position_limit
from nlp_transfer.models.build import LoadedModel
from nlp_transfer.models.fit import check_vocabulary
from nlp_transfer.models.known import Known
from nlp_transfer.models.loading import load_tokenizer
from nlp_transfer.models.saved import Settings, not_ours, read_config, read_said
from nlp_transfer.models.trained import read_model
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.optional import Calibration
from nlp_transfer.tasks.told import check_head, task_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_trained(
    folder: Path,
    setting: str,
    *,
    device: str,
    onnx: bool,
    shared: PreTrainedModel | None = None,
    scheme: str | None = None,
) -> tuple[LoadedModel, Task, Settings, Calibration | None]:
    """Load a model for prediction, an adapter on top of its base if it is one.

    setting: the argument or recipe key that named it, for error messages
    device:  from `resolve_device`
    onnx:    it is an exported model, which onnxruntime computes
    shared:  a model whose encoder an adapter uses as it is
    scheme:  of the tags of a model that was trained elsewhere; None: told from its labels
    returns: model and tokenizer, its task, the settings it was trained with, and how its scores are
             corrected
    """
    said = read_said(folder, setting)
    check_head(said, folder)
    config = read_config(said, folder, setting)
    settings = Settings.of(config, folder, setting)
    try:
        task = task_of(config, settings.task, folder, scheme or settings.scheme)
        calibration = None
        if task.confidence is not None and settings.calibration is not None:
            calibration = task.confidence.read(settings.calibration)
    except ValidationError as error:
        raise not_ours(error, folder, "MODEL") from None
    if task.tag_scheme:
        settings = replace(settings, scheme=task.tag_scheme)
    tokenizer = load_tokenizer(folder, setting)
    known = Known.read(folder, config.hidden_size, setting)
    if onnx:
        check_vocabulary(config.vocab_size, tokenizer, folder, setting)
        model = OnnxModel(folder, config)
        return LoadedModel(model, tokenizer, known=known), task, settings, calibration
    model = read_model(task.head.auto_class, config, folder, setting, shared=shared)
    check_vocabulary(embedding_rows(model), tokenizer, folder, setting)
    settings = settings.within(position_limit(model), folder, setting)
    settings.keep_in(model.config)
    model.to(device)
    return LoadedModel(model, tokenizer, known=known), task, settings, calibration
