"""A recipe's training section in, transformers.TrainingArguments out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, TrainingArguments

from nlp_transfer.errors import UserError
from nlp_transfer.inference.precision import resolve_precision, usable_precision
from nlp_transfer.processes import connect
from nlp_transfer.recipe import TrainingSection
from nlp_transfer.strategies.base import Strategy
from nlp_transfer.training.optimization import (
    check_optimizer,
    schedule_arguments,
    trainer_optimizer,
)
from nlp_transfer.training.optional_packages import check_packages
from nlp_transfer.training.wrapping import (
    asks_for_deepspeed,
    check_deepspeed,
    settle_wrapping,
    wrapper_of,
)


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
    raises:      UserError where transformers refuses arguments, or a package is missing for them
    """
    settings = _settings(section, checkpoints)
    for strategy in strategies:
        settings |= strategy.arguments()
    if steps is not None:
        settings |= {"max_steps": steps, "eval_strategy": "no", "save_strategy": "no"}
        settings["load_best_model_at_end"] = False
    check_deepspeed(settings)
    connect(section.timeout_minutes, cpu=settings["use_cpu"], backend=settings.get("ddp_backend"))
    try:
        args = TrainingArguments(**settings)
    except (ValueError, TypeError, ImportError) as error:
        raise UserError(f"training.arguments: {error}") from None
    settle_wrapping(args, strategies)
    wrapper = wrapper_of(args)
    if not section.padding and wrapper not in (None, "ddp"):
        raise UserError(
            f"training.padding is false, which does not go with {wrapper}. Leave it out, or run "
            "plain processes (DDP)."
        )
    check_optimizer(args)
    check_packages(args)
    return args


def settle_precision(model: PreTrainedModel, args: TrainingArguments, *, fast_cpu: bool) -> None:
    """Let a model that cannot compute in the wanted half precision learn in fp32."""
    if wrapper_of(args) not in (None, "ddp"):  # its configuration has said the precision
        return
    wanted = precision_of(args)
    if usable_precision(model.to(args.device), wanted, fast_cpu=fast_cpu) != wanted:
        args.bf16 = args.fp16 = False
        args.mixed_precision = "no"


def precision_of(args: TrainingArguments) -> str:
    """Return the precision to compute in: bf16, fp16 or fp32."""
    return "bf16" if args.bf16 else "fp16" if args.fp16 else "fp32"


def _settings(section: TrainingSection, checkpoints: Path) -> dict[str, Any]:
    """Say what TrainingArguments are by default here, and what the section sets."""
    precision = resolve_precision(section.precision)
    return {
        "output_dir": str(checkpoints),
        "num_train_epochs": section.epochs,
        "learning_rate": section.learning_rate,
        "warmup_steps": section.warmup,  # below 1 it is a share of all steps
        "weight_decay": section.weight_decay,
        "seed": section.seed,
        "use_cpu": _uses_cpu(section),
        "bf16": precision == "bf16",
        "fp16": precision == "fp16",
        "per_device_train_batch_size": 1,  # nominal: batches are token budgets
        "optim": trainer_optimizer(section),
        **schedule_arguments(section),
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "save_total_limit": 2,  # the best one and the last
        "logging_steps": 10,
        "logging_first_step": True,  # what a training that explodes at once began with
        "logging_nan_inf_filter": False,  # it would hide them, and waits for the GPU at every step
        "load_best_model_at_end": True,
        "metric_for_best_model": "score",
        "greater_is_better": True,
        "report_to": "none",
        "disable_tqdm": True,  # progress.py shows progress in our words
        "remove_unused_columns": False,
        "dataloader_num_workers": 2 if torch.cuda.is_available() else 0,  # batches ahead of a GPU
        "ddp_find_unused_parameters": False,
        "ddp_timeout": math.ceil(60 * section.timeout_minutes),
        "restore_callback_states_from_checkpoint": True,  # patience goes on where it was
        **section.arguments,
    }


def _uses_cpu(section: TrainingSection) -> bool:
    """Tell whether the CPU is to be asked for: else processes on CPUs do not connect.

    DeepSpeed finds the CPUs itself, and would be left out where they are asked for.
    """
    return not (torch.accelerator.is_available() or asks_for_deepspeed(section.arguments))
