"""A recipe in, the recipes that its run consists of out: rounds before it, tasks beside its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nlp_transfer.records import Splits
from nlp_transfer.strategies.context import TransferRecipe

if TYPE_CHECKING:
    from nlp_transfer.strategies.auto_rules import Facts


@dataclass(frozen=True)
class PlannedTask:
    """A task that a run learns."""

    recipe: TransferRecipe
    """Its run as if it were alone, or as learning with others makes it."""
    name: str = ""
    """Empty for the recipe's own task."""
    key: str = ""
    """Where a recipe names it, for error messages."""
    facts: Facts | None = None
    """The facts by which its recipe was chosen; None: the recipe left nothing to `auto`."""
    splits: Splits | None = None
    """Its data, where it is read already."""


@dataclass(frozen=True)
class Plan:
    """What a run consists of."""

    recipe: TransferRecipe
    """The recipe that is planned."""
    tasks: tuple[PlannedTask, ...]
    """Those that learn together, by one encoder; the recipe's own first."""
    temperature: float = 1.0
    """Tasks are drawn in proportion to their size, to the power of one over this."""
    earlier: TransferRecipe | None = None
    """The round before this one, whose run is to be finished first."""
    starts_at_earlier: bool = False
    """Whether the model of the round before is what this one starts from."""

    def rounds_before(self) -> Iterator[Plan]:
        """Plan the rounds before this one, the last first."""
        if self.earlier is not None:
            before = plan_of(self.earlier)
            yield before
            yield from before.rounds_before()


def plan_of(
    recipe: TransferRecipe, *, facts: Facts | None = None, splits: Splits | None = None
) -> Plan:
    """Resolve the strategies that take several rounds or several tasks.

    facts, splits: as `PlannedTask` has them
    """
    plan = Plan(recipe, (PlannedTask(recipe, facts=facts, splits=splits),))
    for strategy in recipe.strategies:
        plan = strategy.plan(plan)
    return plan
