"""A recipe for any task; its strategies in the order in which they act, no two at odds."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, field_validator, model_validator

from nlp_transfer.data.formats import AnyData
from nlp_transfer.recipe import Recipe
from nlp_transfer.recipe.base import Fault, raise_together
from nlp_transfer.strategies import AnyStrategy
from nlp_transfer.strategies.base import Strategy
from nlp_transfer.tasks import AnyTask, names_with


class AnyRecipe(Recipe[AnyTask, AnyStrategy]):
    """A recipe for any task by any strategies, from data in any format."""

    data: AnyData = Field(description="where the labelled examples come from")

    @field_validator("strategies")
    @classmethod
    def _in_order(cls, strategies: list[Strategy]) -> list[Strategy]:
        """Put the strategies in the order in which they act: a recipe may list them in any."""
        return sorted(strategies, key=lambda strategy: (strategy.stage, strategy.order))

    @model_validator(mode="after")
    def _strategies_fit(self) -> AnyRecipe:
        """Refuse strategies that do not go together, or not with the task; name both."""
        raise_together(Fault("strategies", problem) for problem in self._misfits())
        return self

    def _misfits(self) -> Iterator[str]:
        names = [strategy.name for strategy in self.strategies]
        exclusive: dict[str, str] = {}
        for number, strategy in enumerate(self.strategies):
            name = strategy.name
            if name in names[:number]:
                yield f"strategy '{name}' stands there {names.count(name)} times"
                continue
            fits_task = strategy.needs(self.task) is not None
            if not fits_task:
                able = " and ".join(names_with(strategy.needs))
                yield (
                    f"strategy '{name}' does not work with task '{self.task.name}', only with "
                    f"{able}"
                )
            for other in self.strategies:
                if {other.name, other.group} & {*strategy.excludes}:
                    yield f"strategies '{other.name}' and '{name}' do not work together"
            for decision in strategy.exclusive:
                if decision in exclusive:
                    yield (
                        f"strategies '{exclusive[decision]}' and '{name}' both decide {decision}; "
                        "keep one"
                    )
                exclusive[decision] = name
            if fits_task:
                yield from strategy.misfits(self)
