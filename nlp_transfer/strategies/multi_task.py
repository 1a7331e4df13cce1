"""Multi-task learning: one encoder learns several tasks, each with a head of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from nlp_transfer.data.formats import AnyData
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import Section
from nlp_transfer.strategies.base import ADAPTERS, Stage, Strategy
from nlp_transfer.strategies.context import TransferRecipe
from nlp_transfer.strategies.full import Full
from nlp_transfer.strategies.plan import Plan, PlannedTask
from nlp_transfer.tasks import TASK_NAMES, AnyTask

log = logging.getLogger(__name__)

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class SideTask(Section):
    """A task that learns along: its kind and its data."""

    task: AnyTask = Field(description="what is learned")
    data: AnyData = Field(description="where its examples come from")


class MultiTask(Strategy):
    """Let other tasks learn along with the recipe's own, by the same encoder.

    source: Caruana 1997; sampling by temperature: Arivazhagan et al. 2019
    """

    stage: ClassVar[Stage] = Stage.ROWS
    # Names tasks and touches no row: any place would do.
    order: ClassVar[int] = 10

    # What a teacher says is known of the recipe's own windows alone.
    excludes: ClassVar[tuple[str, ...]] = (ADAPTERS, "distillation")

    name: Literal["multi_task"] = "multi_task"
    side_tasks: dict[Name, SideTask] = Field(
        min_length=1,
        max_length=100,
        description="by a name of your choice",
        examples=[{"topics": {"task": TASK_NAMES[-1], "data": {"source": "topics.csv"}}}],
    )
    temperature: float = Field(
        1.0,
        ge=1,
        le=1000,
        description="1: each window once an epoch; higher: small tasks more often, large ones less",
    )

    def arguments(self) -> Mapping[str, Any]:
        """Let processes exchange gradients though each step leaves the other heads out."""
        return {"ddp_find_unused_parameters": True}

    def plan(self, plan: Plan) -> Plan:
        """Let each side task learn along, with the model and training of the recipe's own."""
        own, *_ = plan.tasks
        recipe, training = own.recipe, own.recipe.training
        if isinstance(training.class_weights, dict):  # they name classes of the recipe's own task
            training = training.model_copy(update={"class_weights": None})
        shared = {"strategies": [Full()], "training": training}
        others = (
            PlannedTask(
                recipe.model_copy(
                    update={"name": name, "task": side.task, "data": side.data, **shared}
                ),
                name,
                f"strategies {self.name}: side_tasks.{name}",
            )
            for name, side in self.side_tasks.items()
        )
        tasks = _pooled_alike((*plan.tasks, *others))
        return replace(plan, tasks=tasks, temperature=self.temperature)


def _pooled_alike(tasks: tuple[PlannedTask, ...]) -> tuple[PlannedTask, ...]:
    """Let no task pool by a layer of the encoder whose outputs another one reads piece by piece.

    raises: UserError where the recipe asks for it
    """
    reads_pieces = [task.recipe.task.head.new(()).reads_pieces for task in tasks]
    if len({*reads_pieces}) == 1:
        return tasks
    if tasks[0].recipe.model.pooling == "mean":
        raise UserError(
            "model.pooling is mean, but of the tasks that learn together one answers for each "
            "piece: the encoder gives them all the same. Leave model.pooling out."
        )
    log.info("model.pooling: first, for a task that answers for each piece learns along")
    return tuple(
        replace(task, recipe=_with_pooling(task.recipe, "auto" if pieces else "first"))
        for task, pieces in zip(tasks, reads_pieces, strict=True)
    )


def _with_pooling(recipe: TransferRecipe, pooling: str) -> TransferRecipe:
    model = recipe.model.model_copy(update={"pooling": pooling})
    return recipe.model_copy(update={"model": model})
