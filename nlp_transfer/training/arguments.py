"""A recipe's training section in, transformers.TrainingArguments out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from nlp_transfer.errors import UserError, nearest
from nlp_transfer.inference.engine import resolve_precision
from nlp_transfer.recipe import TrainingSection
from nlp_transfer.strategies.base import Strategy
from nlp_transfer.training.optimization import (
    check_optimizer,
    optimizer_class,
    schedule_arguments,
    trainer_optimizer,
)

# What the recipe says in its own words, or what a run folder must decide.
_OWNED = {
    "num_train_epochs": "use training.epochs",
    "learning_rate": "use training.learning_rate",
    "per_device_train_batch_size": "use training.tokens_per_batch",
    "per_device_eval_batch_size": "use training.tokens_per_batch",
    "auto_find_batch_size": "use training.tokens_per_batch",
    "train_sampling_strategy": "batches are token budgets of like lengths",
    "length_column_name": "batches are token budgets of like lengths",
    "dataloader_drop_last": "every example is learned from",
    "warmup_steps": "use training.warmup",
    "weight_decay": "use training.weight_decay",
    "seed": "use training.seed",
    "lr_scheduler_type": "use training.schedule",
    "lr_scheduler_kwargs": "use training.schedule_arguments",
    "data_seed": "use training.seed",
    "bf16": "use training.precision",
    "fp16": "use training.precision",
    "output_dir": "use --output",
    "resume_from_checkpoint": "run the same command again",
    "push_to_hub": "use --push-to-hub",
    "hub_model_id": "use --push-to-hub",
    "hub_token": "use `hf auth login`",
    "load_best_model_at_end": "the best checkpoint is always kept",
    "metric_for_best_model": "the task decides it",
    "remove_unused_columns": "the task decides the columns",
    "label_names": "the task decides the columns",
    "prediction_loss_only": "evaluation computes the headline figure",
    "batch_eval_metrics": "evaluation keeps no logits",
    "eval_accumulation_steps": "evaluation keeps no logits",
    "eval_do_concat_batches": "evaluation keeps no logits",
    "include_for_metrics": "evaluation keeps no logits",
    "logging_nan_inf_filter": "a loss that is no number ends the run",
}


def training_arguments(
    section: TrainingSection,
    checkpoints: Path,
    *,
    steps: int | None = None,
    strategies: Sequence[Strategy] = (),
) -> TrainingArguments:
    """Translate the training section.

    checkpoints: where the Trainer saves what resuming needs
    steps:       run so many steps only, without evaluation and checkpoints
    strategies:  those of the recipe, which may depend on arguments
    raises:      UserError for an unknown argument, or one that a recipe key of ours decides
    """
    _check_arguments(section)
    optimizer_class(section)  # refuses what contradicts itself, before anything is loaded
    precision = resolve_precision(section.precision)
    settings: dict[str, Any] = {
        "output_dir": str(checkpoints),
        "num_train_epochs": section.epochs,
        "learning_rate": section.learning_rate,
        "warmup_steps": section.warmup,  # below 1 it is a share of all steps
        "weight_decay": section.weight_decay,
        "seed": section.seed,
        "use_cpu": not torch.accelerator.is_available(),  # else processes on CPUs do not connect
        "bf16": precision == "bf16",
        "fp16": precision == "fp16",
        "per_device_train_batch_size": 1,  # nominal: batches are token budgets
        "optim": trainer_optimizer(section),
        **schedule_arguments(section),
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "save_total_limit": 2,  # the best one and the last
        "logging_steps": 10,
        "logging_nan_inf_filter": False,  # it would hide them, and waits for the GPU at every step
        "load_best_model_at_end": True,
        "metric_for_best_model": "score",
        "greater_is_better": True,
        "report_to": "none",
        "disable_tqdm": True,  # progress.py shows progress in our words
        "remove_unused_columns": False,
        "dataloader_num_workers": 2 if torch.cuda.is_available() else 0,  # batches ahead of a GPU
        "ddp_find_unused_parameters": False,
        "restore_callback_states_from_checkpoint": True,  # patience goes on where it was
        **section.arguments,
    }
    for strategy in strategies:
        settings |= strategy.arguments()
    if steps is not None:
        settings |= {"max_steps": steps, "eval_strategy": "no", "save_strategy": "no"}
        settings["load_best_model_at_end"] = False
    try:
        args = TrainingArguments(**settings)
    except (ValueError, TypeError) as error:
        raise UserError(f"training.arguments: {error}") from None
    check_optimizer(args)
    return args


def _check_arguments(section: TrainingSection) -> None:
    """Refuse arguments that transformers does not know, or that a recipe key of ours decides."""
    known = {field.name for field in dataclasses.fields(TrainingArguments) if field.init}
    for name in section.arguments:
        where = f"training.arguments.{name}"
        if name in _OWNED:
            raise UserError(f"{where} cannot be set: {_OWNED[name]}.")
        if name == "gradient_accumulation_steps" and section.tokens_at_once is not None:
            raise UserError(f"{where} and training.tokens_at_once say the same. Keep one.")
        if name not in known:
            raise UserError(
                f"{where}: transformers.TrainingArguments has no such argument."
                f"{nearest(name, known)}"
            )
