"""The tasks that a run learns in; the model that learns them, one encoder and a head each, out."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from transformers import set_seed

from nlp_transfer.data.items import ROLES
from nlp_transfer.models.build import LoadedModel, build_model, log_new_parameters
from nlp_transfer.models.checkpoint import EMBEDDED, EMBEDDED_HUB_ID
from nlp_transfer.models.packing import check_packable
from nlp_transfer.models.readout import has_readout
from nlp_transfer.models.saved import Settings
from nlp_transfer.models.shared_encoder import share_encoder
from nlp_transfer.records import Splits
from nlp_transfer.strategies.context import TransferRecipe
from nlp_transfer.training.examples import TaskExamples

log = logging.getLogger(__name__)


def build(tasks: Sequence[TaskExamples]) -> list[LoadedModel]:
    """Load the checkpoint, and give it a head for every task.

    returns: a model for each task; the first answers for all of them, by one encoder
    """
    own, *others = [_built(task) for task in tasks]
    if others:
        own = share_encoder(own, others)
    checkpoint = tasks[0].recipe.model.checkpoint
    log_new_parameters(own, checkpoint, head="new heads" if others else "new head")
    return [own, *others]


def _built(task: TaskExamples) -> LoadedModel:
    recipe = task.recipe
    log.info("loading the checkpoint: %s", recipe.model.checkpoint)
    set_seed(recipe.training.seed)  # the new head starts from here
    loaded = build_model(task.run.start, recipe.task.head.new(task.splits.labels), recipe.model)
    if not recipe.training.padding:
        check_packable(loaded.model, recipe.model.attention)
    for strategy in recipe.strategies:
        loaded = strategy.carry_over(loaded, task.run)
    is_embedded = recipe.model.checkpoint == EMBEDDED
    loaded.model.name_or_path = EMBEDDED_HUB_ID if is_embedded else recipe.model.checkpoint
    settings = Settings(
        recipe.model,
        task=recipe.task.model_dump(mode="json"),
        columns=_columns_read(recipe, task.splits),
        words=task.raw_words.model_dump() if task.raw_words else None,
        fast_cpu=recipe.training.fast_cpu,
        averages=has_readout(loaded.model.config),
    )
    settings.keep_in(loaded.model.config)
    return loaded


def _columns_read(recipe: TransferRecipe, splits: Splits) -> dict[str, str | int]:
    """Name the columns that the model learns from, for raw rows to be read by them later."""
    named = recipe.data.columns
    columns: dict[str, str | int] = {role: named[role] for role in ROLES if role in named}
    rows = splits["train"]
    if "text_pair" in rows.column_names:
        seconds = rows.data["text_pair"]
        if seconds.null_count < len(seconds):
            columns.setdefault("text_pair", "text_pair")
    return columns


def choose_weights(tasks: Sequence[TaskExamples], models: Sequence[LoadedModel]) -> LoadedModel:
    """Let the strategies choose which weights learn, adapters among them.

    models:  as `build` returns them
    returns: the first of them, ready to learn
    """
    loaded = models[0]
    for strategy in tasks[0].recipe.strategies:
        loaded = strategy.choose_weights(loaded, tasks[0].run)
    return loaded
