"""The tasks; a new one is one folder, imported here and named in TASKS."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from nlp_transfer.recipe.base import by_name
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.classification.task import ClassificationTask
from nlp_transfer.tasks.ner.task import NerTask

TASKS: tuple[type[Task], ...] = (NerTask, ClassificationTask)
TASK_NAMES: tuple[str, ...] = tuple(task.model_fields["name"].default for task in TASKS)
"""What a recipe calls them; the name alone takes the defaults."""

if TYPE_CHECKING:
    AnyTask = Task
else:
    _Section = Annotated[reduce(or_, TASKS), Field(discriminator="name")]
    AnyTask = Annotated[
        _Section, BeforeValidator(by_name, json_schema_input_type=_Section | Literal[TASK_NAMES])
    ]


def task_named(name: str) -> Task:
    """Return a task as a recipe has it that says no more than its name."""
    return TASKS[TASK_NAMES.index(name)].model_validate({})


def names_with(face: Callable[[Task], object | None]) -> list[str]:
    """Name the tasks that have a face which not every task has."""
    return [name for name in TASK_NAMES if face(task_named(name)) is not None]
