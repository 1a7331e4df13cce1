"""The tasks; adding one is one file and one line in the union below."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from nlp_transfer.recipe.base import by_name
from nlp_transfer.tasks.classification.task import ClassificationTask
from nlp_transfer.tasks.ner.task import NerTask

_Section = Annotated[NerTask | ClassificationTask, Field(discriminator="name")]
AnyTask = Annotated[
    _Section,
    BeforeValidator(by_name, json_schema_input_type=_Section | Literal["ner", "classification"]),
]
