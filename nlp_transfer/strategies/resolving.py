"""A recipe that says `auto`, and facts, in; the recipe that says what is done in its place out."""

from __future__ import annotations

from typing import TypeVar

from nlp_transfer.doctor.finding import counted
from nlp_transfer.recipe import TrainingSection
from nlp_transfer.strategies.auto import Auto
from nlp_transfer.strategies.auto_rules import Facts
from nlp_transfer.strategies.auto_table import choose
from nlp_transfer.strategies.base import Strategy
from nlp_transfer.strategies.context import TransferRecipe
from nlp_transfer.strategies.full import Full
from nlp_transfer.strategies.together import in_order, misfits

RecipeT = TypeVar("RecipeT", bound=TransferRecipe)


def is_open(recipe: TransferRecipe) -> bool:
    """Tell a recipe in which something has still to be chosen."""
    return any(isinstance(strategy, Auto) for strategy in recipe.strategies)


def resolved_by(recipe: RecipeT, facts: Facts) -> RecipeT:
    """Put what the table says in the place of `auto`; what a recipe says itself stays.

    A strategy that is chosen gives way to one of its name, and to what it does not go with.
    """
    given = recipe.training.given()
    choice = choose(facts, given)
    arguments = choice.training.get("arguments", given.get("arguments", {}))
    training = TrainingSection.model_validate(
        {**choice.training, **given, **({"arguments": arguments} if arguments else {})}
    )
    own: list[Strategy] = [one for one in recipe.strategies if not isinstance(one, Auto)]
    resolved = recipe.model_copy(update={"strategies": own, "training": training})
    for strategy in choice.strategies:
        more = resolved.model_copy(
            update={"strategies": in_order([*resolved.strategies, strategy])}
        )
        if not any(misfits(more)):
            resolved = more
    return resolved if resolved.strategies else resolved.model_copy(update={"strategies": [Full()]})


def in_words(recipe: TransferRecipe, facts: Facts) -> str:
    """Say in a line what is known, and what a resolved recipe does."""
    training = recipe.training
    parts = [strategy.in_words for strategy in recipe.strategies]
    if training.head_learning_rate is not None:
        parts.append(f"head {in_powers(training.head_learning_rate)}")
    parts.append(f"{training.epochs:g} epochs" if training.epochs != 1 else "1 epoch")
    examples = counted(facts.examples, recipe.task.rows.nouns.example)
    return f"{examples}, {_size(facts.parameters)} parameters: {', '.join(parts)}"


def _size(parameters: int) -> str:
    """Write a number of parameters as people say it."""
    return f"{parameters // 1_000_000} M" if parameters >= 1_000_000 else f"{parameters:,}"


def in_powers(rate: float) -> str:
    """Write a learning rate as people do.

    >>> in_powers(0.003)
    '3e-3'
    """
    digits, _, power = f"{rate:.2e}".partition("e")
    return f"{float(digits):g}e{int(power)}"
