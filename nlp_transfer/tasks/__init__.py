"""The tasks; adding one is one file and one line in the union below."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, TypeAdapter

from nlp_transfer.recipe.base import by_name
from nlp_transfer.tasks.classification.task import ClassificationTask
from nlp_transfer.tasks.ner.task import NerTask

_Section = Annotated[NerTask | ClassificationTask, Field(discriminator="name")]
TASK_NAMES: tuple[str, ...] = tuple(
    task.model_fields["name"].default for task in get_args(get_args(_Section)[0])
)
AnyTask = Annotated[
    _Section,
    BeforeValidator(by_name, json_schema_input_type=_Section | Literal["ner", "classification"]),
]


def task_named(name: str) -> AnyTask:
    """Return a task as a recipe has it that says no more than its name."""
    task: AnyTask = TypeAdapter(AnyTask).validate_python(name)
    return task
