"""A whole recipe, typed and frozen."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import Field, field_validator

from nlp_transfer.recipe.base import Section, listed
from nlp_transfer.recipe.data_section import DataSection
from nlp_transfer.recipe.search_section import SearchSpace
from nlp_transfer.recipe.sections import (
    EvaluationSection,
    ModelSection,
    PublishSection,
)
from nlp_transfer.recipe.training_section import PretrainingSection, TrainingSection
from nlp_transfer.recipe.yaml_reader import write_yaml
from nlp_transfer.secrets import without_secrets

TaskT = TypeVar("TaskT", bound=Section, covariant=True)
StrategyT = TypeVar("StrategyT", bound=Section, covariant=True)


class Recipe(Section, Generic[TaskT, StrategyT]):
    """Everything a run depends on; `TaskT` and `StrategyT` are the unions of their rooms."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=100,
        json_schema_extra={"form": "up to 100 letters, digits, . _ and -, a letter or digit first"},
        description="of the recipe, and of its run folder: `runs/<name>`",
        examples=["mine"],
    )
    description: str = Field(
        "", description="one line for `nlpt recipes list`", examples=["News in four classes"]
    )
    task: TaskT = Field(description="what is learned; the name alone takes its defaults")
    data: DataSection = Field(description="where the labelled examples come from")
    model: ModelSection = Field(description="the checkpoint to start from")
    strategies: list[StrategyT] = Field(
        min_length=1,
        description="ways of transferring; names alone take their defaults",
        examples=[["full"], [{"name": "lora", "rank": 16}, {"name": "fgm"}]],
    )
    training: TrainingSection = Field(TrainingSection(), description="how the weights are learned")
    evaluation: EvaluationSection = Field(EvaluationSection(), description="what is scored")
    pretraining: PretrainingSection = Field(
        PretrainingSection(), description="how `nlpt pretrain` reads texts of the domain"
    )
    search: SearchSpace = Field(
        default_factory=dict,
        description="what `nlpt study --search` tries for which keys: a list of choices, or "
        "{low, high, log}; empty: its own choice of keys",
        examples=[
            {
                "training.learning_rate": {"low": 1e-5, "high": 1e-4, "log": True},
                "training.epochs": [2, 3, 5],
            }
        ],
    )
    publish: PublishSection = Field(PublishSection(), description="what the model card says")

    @field_validator("strategies", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        """Read `lora`, `lora,fgm`, [lora] and {name: lora} as a list of sections."""
        return listed(value)

    def written(self) -> dict[str, Any]:
        """Return every key as JSON, defaults too."""
        return self.model_dump(mode="json")

    def as_yaml(self) -> str:
        """Write the recipe out with every default and no secrets, as the run folder keeps it."""
        return write_yaml(without_secrets(self.written()))
