"""The folder of a trained model in, model, tokenizer and task for prediction out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_transfer.checkpoint import resolve_checkpoint
from nlp_transfer.errors import UserError
from nlp_transfer.inference.onnx_model import OnnxModel
from nlp_transfer.recipe import ModelSection
from nlp_transfer.strategies.prompt import aligned
from nlp_transfer.tasks.base import LoadedModel, Task
from nlp_transfer.tasks.classification import ClassificationTask
from nlp_transfer.tasks.finite import check_finite
from nlp_transfer.tasks.loading import explaining_damage, load_tokenizer, quiet_transformers
from nlp_transfer.tasks.ner import NerTask
from nlp_transfer.tasks.shared_encoder import share_weights

if TYPE_CHECKING:
    from peft import PeftConfig

SETTINGS_KEY = "nlp_transfer"
"""Where a model's config.json keeps the task and the window settings it was trained with."""


def load_trained(
    folder: Path, setting: str, *, device: str, onnx: bool, shared: Any = None
) -> tuple[LoadedModel, Task, dict[str, Any]]:
    """Load a model for prediction, an adapter on top of its base if it is one.

    setting: the argument or recipe key that named it, for error messages
    device:  from `resolve_device`
    onnx:    it is an exported model, which onnxruntime computes
    shared:  a model whose encoder an adapter uses as it is
    returns: model and tokenizer, its task, and the settings it was trained with
    """
    from transformers import AutoConfig

    from nlp_transfer.cpu import speed_up

    if not (folder / "config.json").is_file():
        raise UserError(
            f"{folder}: an adapter without config.json does not say its labels. Copy the "
            "config.json of its run beside adapter_config.json."
        )
    with explaining_damage(folder, setting):
        config = AutoConfig.from_pretrained(folder)
    settings = getattr(config, SETTINGS_KEY, None) or {}
    task = _task(config, settings, folder)
    tokenizer = load_tokenizer(folder, ModelSection(checkpoint=str(folder)))
    if onnx:
        stand_in: Any = OnnxModel(folder, config)
        return LoadedModel(stand_in, tokenizer, frozenset()), task, settings
    auto_class = task.auto_class()
    with quiet_transformers(), explaining_damage(folder, setting):
        if (folder / "adapter_config.json").is_file():
            model = _with_adapter(auto_class, config, folder, shared)
        else:
            model = auto_class.from_pretrained(folder, config=config, dtype="float32")
    check_finite(model, f"{setting}: {folder}")
    model.to(device)
    speed_up(model)
    return LoadedModel(model, tokenizer, frozenset()), task, settings


def _with_adapter(auto_class: Any, config: Any, folder: Path, shared: Any) -> Any:
    """Load an adapter on its base: merged into it, or beside the encoder of `shared`."""
    from peft import PeftConfig, PeftModel

    adapter = PeftConfig.from_pretrained(folder)
    model = auto_class.from_pretrained(
        base_of(adapter), config=config, ignore_mismatched_sizes=True, dtype="float32"
    )
    if shared is not None:
        share_weights(shared, model)
    model = PeftModel.from_pretrained(model, folder)
    if adapter.is_prompt_learning:
        return aligned(model)
    return model if shared is not None else model.merge_and_unload()


def base_of(adapter: PeftConfig) -> Path:
    """Find the checkpoint that an adapter was trained on."""
    return resolve_checkpoint(
        adapter.base_model_name_or_path,
        revision=adapter.revision,
        setting="base model of the adapter",
    )


def _task(config: Any, settings: dict[str, Any], folder: Path) -> Task:
    """Tell the task from the saved settings, or from the head of a model trained elsewhere."""
    kind = settings.get("task", {}).get("name")
    heads = " ".join(config.architectures or [])
    if "ForTokenClassification" not in heads and "ForSequenceClassification" not in heads:
        raise UserError(
            f"{folder}: the model has no head for NER or classification "
            f"({heads or 'no architecture named'}). Fine-tune it first with nlpt finetune."
        )
    if all(str(name).startswith("LABEL_") for name in config.id2label.values()):
        raise UserError(
            f"{folder}: the labels have no names (LABEL_0, LABEL_1...), so predictions would mean "
            "nothing. Write their names under id2label and label2id in config.json."
        )
    if kind == "ner" or (kind is None and "ForTokenClassification" in heads):
        return NerTask.model_validate(settings.get("task", {"name": "ner"}))
    multi_label = config.problem_type == "multi_label_classification"
    return ClassificationTask.model_validate(
        settings.get("task", {"name": "classification", "multi_label": multi_label})
    )
