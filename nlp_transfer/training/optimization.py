"""A training section in, the optimizer's class and the learning rate's schedule out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import Trainer, TrainingArguments

from nlp_transfer.errors import UserError
from nlp_transfer.recipe import TrainingSection
from nlp_transfer.recipe.schedules import OWN
from nlp_transfer.recipe.training_section import WITH_MOMENTUM

_OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
}
_OF_THE_TRAINER = {"adamw": "adamw_torch_fused", "adamw_8bit": "adamw_bnb_8bit"}
"""Optimizers that the Trainer makes itself, and what it calls them."""


def optimizer_class(
    training: TrainingSection,
) -> tuple[type[torch.optim.Optimizer], dict[str, Any]] | None:
    """Return the optimizer's class and settings; None for those that the Trainer makes itself."""
    if training.optimizer in _OF_THE_TRAINER:
        return None
    settings: dict[str, Any] = {"lr": training.learning_rate}
    if training.optimizer in WITH_MOMENTUM:
        settings["momentum"] = training.momentum
    return _OPTIMIZERS[training.optimizer], settings


def trainer_optimizer(training: TrainingSection) -> str:
    """Return what the Trainer calls the optimizer, where it makes it itself."""
    return _OF_THE_TRAINER.get(training.optimizer, "adamw_torch_fused")


def leaves_zero_gradients(training: TrainingSection, args: TrainingArguments) -> bool:
    """Tell whether a weight that never has a gradient is only decayed: by lr * weight_decay.

    So it is with AdamW; others add the decay to the gradient, or share moments between weights.
    """
    return optimizer_class(training) is None and args.optim in (
        *_OF_THE_TRAINER.values(),
        "adamw_torch",
    )


def check_optimizer(args: TrainingArguments) -> None:
    """Raise UserError where the library of an optimizer is missing, before any data is read."""
    try:
        Trainer.get_optimizer_cls_and_kwargs(args)
    except ImportError as error:
        raise UserError(f"training.optimizer: {args.optim.value} cannot be used: {error}") from None
    except (ValueError, TypeError):
        return  # some can be made for a model only


def schedule_arguments(training: TrainingSection) -> dict[str, Any]:
    """Return the arguments of transformers.TrainingArguments that set the schedule."""
    if training.schedule in OWN:
        return {"lr_scheduler_type": "constant_with_warmup"}
    return {
        "lr_scheduler_type": training.schedule,
        "lr_scheduler_kwargs": training.schedule_arguments or None,
    }


def own_schedule(
    training: TrainingSection, optimizer: torch.optim.Optimizer, *, warmup_steps: int, steps: int
) -> LambdaLR | None:
    """Build exponential or step decay; None for the schedules of transformers.

    steps: of the whole run
    """
    if training.schedule not in OWN:
        return None
    settings = {**OWN[training.schedule], **training.schedule_arguments}
    epoch = steps / training.epochs
    factor = _exponential if training.schedule == "exponential" else _step
    return LambdaLR(
        optimizer, partial(_warmed_up, partial(factor, epoch=epoch, **settings), warmup_steps)
    )


def _warmed_up(factor: Callable[[int], float], warmup_steps: int, step: int) -> float:
    """Rise from 0 in a straight line, then follow `factor`."""
    return step / warmup_steps if step < warmup_steps else factor(step - warmup_steps)


def _exponential(step: int, *, epoch: float, decay: float) -> float:
    """Decay at every step, so that an epoch decays by `decay`."""
    return float(decay ** (step / epoch))


def _step(step: int, *, epoch: float, decay: float, every: float) -> float:
    """Decay at once after every so many epochs."""
    return float(decay ** int(step / (epoch * every)))
