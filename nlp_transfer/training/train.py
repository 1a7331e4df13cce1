"""Material in, a trained model with its predictions out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn
from transformers import TrainingArguments, set_seed

from nlp_transfer.files import whole_folder
from nlp_transfer.models.finite import check_finite
from nlp_transfer.models.loading import ADAPTED_FILE, CONFIG_FILE
from nlp_transfer.models.shared_encoder import release_sides
from nlp_transfer.recipe import Recipe
from nlp_transfer.records import Prediction
from nlp_transfer.strategies.base import Outcome
from nlp_transfer.tasks.base import LoadedModel
from nlp_transfer.training.material import Material
from nlp_transfer.training.run_folder import RunFolder
from nlp_transfer.training.trainer import TransferTrainer, build_trainer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """The outcome of a run."""

    loaded: LoadedModel
    """The model that is kept, with its tokenizer."""
    predictions: Mapping[str, Sequence[Prediction]]
    """Of every split of `evaluation.splits`."""
    figures: Mapping[str, Any]
    """The training section of metrics.json."""
    sides: Mapping[str, Trained]
    """Other tasks that learned along, by name."""


def train(
    recipe: Recipe[Any, Any],
    material: Material,
    args: TrainingArguments,
    *,
    folder: RunFolder | None = None,
) -> Trained:
    """Train, load the best checkpoint, let the strategies finish, and predict.

    folder: the run folder to resume from and to save the model in; None keeps nothing
    """
    loaded = material.loaded
    counts = parameter_counts(loaded.model)
    set_seed(args.seed)  # dropout and batches start from here, whatever the data took
    trainer = build_trainer(material, args)
    checkpoint = folder.last_checkpoint() if folder else None
    trainer.learn(checkpoint)
    writer = folder if folder and trainer.is_world_process_zero() else None
    model: Any = trainer.accelerator.unwrap_model(trainer.model)
    if writer and hasattr(model, "peft_config"):
        with whole_folder(writer.path / "adapter", replace=True) as temporary:
            save_model(model, loaded, temporary)
    outcome = Outcome(
        setting=material.setting,
        start=material.start,
        new_parameters=loaded.new_parameters,
        checkpoints=Path(args.output_dir),
        score=trainer.score,
    )
    for strategy in recipe.strategies:
        model = strategy.finish(model, outcome)
    sides = dict(zip(material.sides, release_sides(model), strict=True))
    trainer.model = model
    if writer:
        _save(writer, replace(loaded, model=model), sides)
    figures: dict[str, Any] = {
        **_speed(trainer),
        **counts,
        "world_size": args.world_size,
        "precision": trainer.precision,
        **({"strategies": outcome.figures} if outcome.figures else {}),
    }
    side_results = {
        name: _trained(trainer, material.sides[name], side, {}, {}) for name, side in sides.items()
    }
    return _trained(trainer, material, model, figures, side_results)


def _trained(
    trainer: TransferTrainer,
    material: Material,
    model: Any,
    figures: Mapping[str, Any],
    sides: Mapping[str, Trained],
) -> Trained:
    """Let a trained model predict what is to be scored."""
    recipe = material.setting.recipe
    predictions: dict[str, Sequence[Prediction]] = {
        split: trainer.predict_split(material.data[split], model, recipe.task)
        for split in recipe.evaluation.splits
    }
    return Trained(replace(material.loaded, model=model), predictions, figures, sides)


def _save(folder: RunFolder, loaded: LoadedModel, sides: Mapping[str, Any]) -> None:
    """Save the model, and those of side tasks, each whole."""
    if sides:
        with whole_folder(folder.path / "tasks", replace=True) as temporary:
            for name, side in sides.items():
                save_model(side, loaded, temporary / name)
    with whole_folder(folder.path / "model", replace=True) as temporary:
        save_model(loaded.model, loaded, temporary)


def save_model(model: Any, loaded: LoadedModel, folder: Path) -> None:
    """Save a model or its adapters as safetensors, with tokenizer and named labels.

    raises: UserError for weights that are no numbers; nothing is written then
    """
    check_finite(model, "The model", advice="It is not saved.")
    model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    if hasattr(model, "peft_config"):
        # PEFT keeps no configuration of the base: without it an adapter has no label names.
        base = model.get_base_model()
        base.config.architectures = [type(base).__name__]
        base.config.save_pretrained(folder)
        (folder / CONFIG_FILE).rename(folder / ADAPTED_FILE)
        (folder / "README.md").unlink(missing_ok=True)  # a card full of placeholders


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """Count trainable and all parameters."""
    counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return {
        "trainable_parameters": sum(n for n, learns in counts if learns),
        "total_parameters": sum(n for n, _ in counts),
    }


def _speed(trainer: TransferTrainer) -> dict[str, Any]:
    """Return seconds, steps and pieces learned a second (padding and evaluations not counted)."""
    seconds, evaluating = trainer.clock.seconds, trainer.clock.evaluation_seconds
    epochs = trainer.state.epoch or 0
    return {
        "seconds": round(seconds, 2),
        "evaluation_seconds": round(evaluating, 2),
        "steps": trainer.state.global_step,
        "epochs": round(epochs, 4),
        "best_step": trainer.state.best_global_step,
        "best_validation": trainer.state.best_metric,
        "tokens_per_second": round(trainer.pieces_an_epoch * epochs / (seconds - evaluating), 1),
    }
