"""Trained models in, the folders of a run that hold them out; only the main process writes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

from nlp_transfer.files import whole_folder
from nlp_transfer.manifest import verifiable_folder, write_manifest
from nlp_transfer.models.architecture import is_adapted
from nlp_transfer.models.build import LoadedModel
from nlp_transfer.models.pooling import write_pooling
from nlp_transfer.models.saved import adopt_settings, save_model
from nlp_transfer.processes import is_main_process, wait_for_all
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.runs.saved_check import verify_files, verify_saved
from nlp_transfer.training.examples import TaskWindows
from nlp_transfer.training.fitting import Fitted
from nlp_transfer.training.pretraining import Reading

_ADAPTER = "adapter"


def save_adapter(folder: RunFolder, fitted: Fitted) -> None:
    """Write what a strategy has learned beside the checkpoint's weights, apart from them."""
    if is_main_process() and is_adapted(fitted.loaded.model):
        with verifiable_folder(folder.path / _ADAPTER, replace=True) as temporary:
            save_model(fitted.loaded, temporary)
            verify_files(temporary, fitted.loaded)


def save_models(
    folder: RunFolder, tasks: Sequence[TaskWindows], models: Sequence[LoadedModel]
) -> None:
    """Write the model, and those of tasks that learned along, each whole and verified.

    models: one a task, the recipe's own first
    """
    if not is_main_process():
        return
    if along := list(zip(tasks, models, strict=True))[1:]:
        with whole_folder(folder.path / "tasks", replace=True) as temporary:
            for task, loaded in along:
                save_model(loaded, temporary / task.planned.name)
                verify_saved(temporary / task.planned.name, loaded, task)
                write_manifest(temporary / task.planned.name)
    with verifiable_folder(folder.model, replace=True) as temporary:
        save_model(models[0], temporary)
        verify_saved(temporary, models[0], tasks[0])
    if (adapter := folder.path / _ADAPTER).is_dir():
        with verifiable_folder(adapter, replace=True) as temporary:
            shutil.copytree(adapter, temporary, dirs_exist_ok=True)
            adopt_settings(models[0], temporary)  # calibrated since it was saved


def write_pretrained(folder: RunFolder, reading: Reading, metrics: dict[str, Any]) -> None:
    """Write a model that has read, and what was measured; metrics.json last."""
    if is_main_process():
        with verifiable_folder(folder.model, replace=True) as temporary:
            save_model(reading.loaded, temporary)
            verify_files(temporary, reading.loaded)
            if reading.pooling is not None:
                hidden = reading.loaded.model.config.hidden_size
                write_pooling(temporary, reading.pooling, hidden=hidden)
        folder.finish(metrics)
    wait_for_all()
