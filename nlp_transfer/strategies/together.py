"""The strategies of a recipe together: the order in which they act, and which are at odds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nlp_transfer.strategies.base import Strategy
from nlp_transfer.strategies.context import TransferRecipe
from nlp_transfer.tasks import names_with


def in_order(strategies: Iterable[Strategy]) -> list[Strategy]:
    """Put strategies in the order in which they act: a recipe may list them in any."""
    return sorted(strategies, key=lambda strategy: (strategy.stage, strategy.order))


def misfits(recipe: TransferRecipe) -> Iterator[str]:
    """Say which strategies of a recipe do not go together, or not with its task; name both."""
    names = [strategy.name for strategy in recipe.strategies]
    exclusive: dict[str, str] = {}
    for number, strategy in enumerate(recipe.strategies):
        name = strategy.name
        if name in names[:number]:
            yield f"strategy '{name}' stands there {names.count(name)} times"
            continue
        fits_task = strategy.needs(recipe.task) is not None
        if not fits_task:
            able = " and ".join(names_with(strategy.needs))
            yield (
                f"strategy '{name}' does not work with task '{recipe.task.name}', only with {able}"
            )
        for other in recipe.strategies[:number]:
            if _excludes(strategy, other) or _excludes(other, strategy):
                yield f"strategies '{other.name}' and '{name}' do not work together"
        for decision in strategy.exclusive:
            if decision in exclusive:
                yield (
                    f"strategies '{exclusive[decision]}' and '{name}' both decide {decision}; "
                    "keep one"
                )
            exclusive[decision] = name
        if fits_task:
            yield from strategy.misfits(recipe)


def _excludes(strategy: Strategy, other: Strategy) -> bool:
    return bool({other.name, other.group} & {*strategy.excludes})
