"""The configuration of a trained model in, its task out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_transfer.errors import UserError
from nlp_transfer.models.fit import COPY_AGAIN
from nlp_transfer.tasks import TASK_NAMES, TASKS
from nlp_transfer.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def check_head(said: Mapping[str, object], folder: Path) -> None:
    """Refuse a model that was not fine-tuned for any of the tasks.

    said: what its config.json holds
    """
    heads = str(said.get("architectures") or "no architecture named")
    if not any(task.head_name in heads for task in TASKS):
        known = " or ".join(TASK_NAMES)
        raise UserError(
            f"{folder}: the model has no head for {known} ({heads}). Fine-tune it first with nlpt "
            "finetune."
        )


def task_of(
    config: PreTrainedConfig, kept: Mapping[str, Any] | None, folder: Path, scheme: str | None
) -> Task:
    """Read the task that a model of ours keeps, or tell it from the head of any other.

    kept:   the recipe section; None: the model was trained elsewhere
    folder: of the model, for error messages
    scheme: of the labels of a tagger that was trained elsewhere; None: told from them
    raises: UserError where head and task do not go together; pydantic's for a broken section
    """
    heads = " ".join(config.architectures or [])
    able = {task.model_fields["name"].default: task for task in TASKS if task.head_name in heads}
    name = next(iter(able)) if kept is None else kept.get("name")
    if name not in able:
        raise UserError(
            f"{folder}: the model was trained for {name!r}, but its head is for "
            f"{' or '.join(able)} ({heads}). {COPY_AGAIN}"
        )
    return able[name].of_model(config, kept, folder, scheme)
