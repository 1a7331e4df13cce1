"""Multi-task learning: one encoder learns several tasks, each with a head of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from nlp_transfer.data.formats import AnyData
from nlp_transfer.recipe import Section
from nlp_transfer.strategies.base import ADAPTERS, Stage, Strategy
from nlp_transfer.strategies.full import Full
from nlp_transfer.strategies.plan import Plan, PlannedTask
from nlp_transfer.tasks import TASK_NAMES, AnyTask

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
        recipe, training = plan.recipe, plan.recipe.training
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
        return replace(plan, tasks=(*plan.tasks, *others), temperature=self.temperature)
