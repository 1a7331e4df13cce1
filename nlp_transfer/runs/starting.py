"""A run folder as a command finds it: a run is begun in it, or one that is finished shown again."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlp_transfer.errors import UserError
from nlp_transfer.processes import is_main_process, wait_for_all, world_size
from nlp_transfer.processes.sharing import is_apart
from nlp_transfer.recipe.reader import FOLDER_KEY
from nlp_transfer.runs.disk import (
    check_disk_space,
    check_scratch_space,
    disk_bytes,
    received_bytes,
)
from nlp_transfer.runs.group import check_same_read, ending_together
from nlp_transfer.runs.lock import LOCK, Lock
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.strategies.context import TransferRecipe

if TYPE_CHECKING:
    from torch import nn
    from transformers import TrainingArguments

    from nlp_transfer.models.build import LoadedModel
    from nlp_transfer.training.examples import TaskWindows

log = logging.getLogger(__name__)


def announce(what: str, recipe: TransferRecipe, folder: RunFolder) -> None:
    """Say what begins, before the libraries that it needs are loaded: they take seconds."""
    start, data = recipe.model.checkpoint, recipe.data.source
    log.info("%s: %s %s on %s, in %s", recipe.name, what, start, data, folder.path)


def begin(
    folder: RunFolder,
    recipe: TransferRecipe,
    tasks: Sequence[TaskWindows],
    learner: LoadedModel,
    args: TrainingArguments,
    *,
    fresh: bool,
) -> None:
    """Write what identifies a run, before its first step."""
    from nlp_transfer.training.examples import describe_data, of_all

    for strategy in recipe.strategies:
        if strategy.experimental:
            log.warning("strategy '%s' is experimental: docs/strategies.md says why", strategy.name)
    data = of_all([task.planned for task in tasks], map(describe_data, tasks))
    begin_with(folder, recipe, data, learner.model, args, tasks=len(tasks), fresh=fresh)


def begin_with(
    folder: RunFolder,
    recipe: TransferRecipe,
    data: Mapping[str, Any],
    model: nn.Module,
    args: TrainingArguments,
    *,
    tasks: int = 1,
    fresh: bool,
) -> None:
    """Write what identifies a run of any kind, before its first step.

    data:  as data.json has it
    tasks: that the model learns
    """
    from nlp_transfer.runs.environment import describe_environment
    from nlp_transfer.training.fitting import parameter_counts
    from nlp_transfer.training.wrapping import wrapper_of

    check_same_read(recipe, data)
    if not fresh:
        folder.check_same_data(data)
    counts = parameter_counts(model)
    with ending_together(recipe.training.timeout_minutes):
        if is_apart():
            check_scratch_space(folder.path, received_bytes(**counts))
        else:
            check_disk_space(folder.path, disk_bytes(**counts, tasks=tasks))
    wait_for_all()  # every process has looked at the folder before one changes it
    if is_main_process():
        if fresh:
            folder.clear()
        environment = describe_environment(
            seed=recipe.training.seed, world_size=world_size(), wrapped=wrapper_of(args)
        )
        where = {FOLDER_KEY: str(folder.path.absolute())}
        folder.begin({**environment, **where}, data, recipe.as_yaml())
    wait_for_all()


def show_again(folder: RunFolder, read_now: Callable[[], dict[str, Any]]) -> None:
    """Say that a run is finished; refuse where its report is not of the data that is there now.

    read_now: reads the data again
    """
    if is_main_process():
        _tidy(folder)
    try:
        now = read_now()
    except UserError as error:
        log.warning(
            "%s is finished; not compared with its data, which cannot be read now: %s",
            folder.path,
            error,
        )
        return
    folder.check_same_data(now)
    log.info("%s is finished; --fresh starts over", folder.path)


def _tidy(folder: RunFolder) -> None:
    """Delete what a crash has left that came just after the run was finished."""
    if folder.checkpoints.is_dir() or folder.earlier_round.is_dir():
        with contextlib.suppress(UserError), Lock(folder.path / LOCK, folder.path):
            if folder.state() == "finished":
                folder.remove_checkpoints()
