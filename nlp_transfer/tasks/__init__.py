"""The tasks; adding one is one file and one line in the union below."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nlp_transfer.tasks.classification import ClassificationTask
from nlp_transfer.tasks.ner import NerTask

AnyTask = Annotated[NerTask | ClassificationTask, Field(discriminator="name")]
