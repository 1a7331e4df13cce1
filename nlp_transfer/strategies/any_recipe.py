"""A recipe for any task; its strategies in the order in which they act, no two at odds."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from nlp_transfer.data.formats import AnyData
from nlp_transfer.recipe import Recipe
from nlp_transfer.recipe.base import Fault, raise_together
from nlp_transfer.strategies import AnyStrategy
from nlp_transfer.strategies.auto import Auto
from nlp_transfer.strategies.base import Strategy
from nlp_transfer.strategies.resolving import is_open
from nlp_transfer.strategies.together import in_order, misfits
from nlp_transfer.tasks import AnyTask


class AnyRecipe(Recipe[AnyTask, AnyStrategy]):
    """A recipe for any task by any strategies, from data in any format."""

    data: AnyData = Field(description="where the labelled examples come from")
    strategies: list[AnyStrategy] = Field(
        [Auto()],
        min_length=1,
        description="ways of transferring; names alone take their defaults; auto: what fits data "
        "and checkpoint",
        examples=[["auto"], [{"name": "lora", "rank": 16}, {"name": "fgm"}]],
    )

    @field_validator("strategies")
    @classmethod
    def _in_order(cls, strategies: list[Strategy]) -> list[Strategy]:
        return in_order(strategies)

    @model_validator(mode="after")
    def _strategies_fit(self) -> AnyRecipe:
        """Refuse strategies that do not go together, or not with the task; name both."""
        raise_together(Fault("strategies", problem) for problem in misfits(self))
        return self

    def written(self) -> dict[str, Any]:
        """Return every key as JSON; of those that `auto` may still choose, what was given."""
        training = {"training": self.training.given()} if is_open(self) else {}
        return {**super().written(), **training}
