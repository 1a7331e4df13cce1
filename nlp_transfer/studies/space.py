"""What a search tries: the search section of a recipe, or what mostly matters for encoders."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TypeAlias

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import JsonValue

from nlp_transfer.errors import UserError
from nlp_transfer.recipe.search_section import Range, Settings
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.strategies.steps import is_of_steps, takes_steps

Tried: TypeAlias = Range | tuple[JsonValue, ...]
Space = Mapping[str, Tried]
"""What is tried for which key of a recipe."""


def space_of(recipe: AnyRecipe) -> Space:
    """Return the recipe's search section, or the default space around what the recipe says."""
    return recipe.search or _default(recipe)


def check_space(recipe: AnyRecipe) -> None:
    """Refuse a search of which no trial would be another than the first.

    raises: UserError
    """
    tried = space_of(recipe)
    if not takes_steps(recipe) and all(map(is_of_steps, tried)):
        raise UserError(
            f"--search: it would try {', '.join(tried)}, none of which is read: the head is fitted "
            "without gradient steps. Say in the recipe's search section what to try (Example: "
            "'search.training.class_weights=[null, balanced]'), or let steps be taken (strategies "
            "frozen: layers: N or head: trained)."
        )


_WEIGHTS: tuple[JsonValue, ...] = (
    {"name": "full"},
    {"name": "frozen", "layers": 0},
    {"name": "frozen", "layers": 1},
    {"name": "frozen", "layers": 2},
)
_DECAYS: tuple[JsonValue, ...] = (
    {"name": "layerwise_lr", "decay": 0.95},
    {"name": "layerwise_lr", "decay": 0.85},
)


def _default(recipe: AnyRecipe) -> Space:
    """Choose keys and ranges for an encoder.

    The rates and epochs of Devlin et al. 2019, appendix A.3 (2e-5 to 5e-5, 2 to 4 epochs), lie
    within; ranges are relative, because adapters and heads alone learn at other rates.
    source: Mosbach et al. 2021 (epochs, warmup), Clark et al. 2020 (decay of rates by layer)
    """
    training = recipe.training
    rate, epochs, tokens = training.learning_rate, training.epochs, training.tokens_per_batch
    first, last = epochs / 2, epochs * 2
    space: dict[str, Tried] = {
        "training.learning_rate": Range(low=rate / 5, high=rate * 5, log=True),
        "training.head_learning_rate": Range(low=rate, high=rate * 50, log=True),
        "training.epochs": Range(low=math.ceil(first), high=math.ceil(last))
        if epochs >= 1
        else Range(low=first, high=last),
        "training.tokens_per_batch": (max(1, tokens // 2), tokens, tokens * 2),
        "training.warmup": (0.0, 0.1, 0.2),
        "training.weight_decay": (0.0, 0.01, 0.1),
        "model.dropout": (None, 0.0, 0.2),
    }
    return {**space, **_of_strategies(recipe)}


def _of_strategies(recipe: AnyRecipe) -> Space:
    """Try to freeze the lowest layers, and let rates decay by layer, where nothing else decides."""
    full, *frozen = _WEIGHTS
    names = [strategy.name for strategy in recipe.strategies]
    if names == ["full"]:
        return {"strategies": ([full], [frozen[0]], *([decay] for decay in _DECAYS))}
    space: dict[str, Tried] = {}
    for number, strategy in enumerate(_in_short(recipe)):
        if strategy in _WEIGHTS:
            space[f"strategies.{number}"] = _WEIGHTS
        if strategy["name"] == "layerwise_lr":
            space[f"strategies.{number}.decay"] = Range(low=0.75, high=1.0)
    return space


def _in_short(recipe: AnyRecipe) -> list[dict[str, JsonValue]]:
    """Write strategies without their defaults, whatever fields a later version gives them."""
    return [
        {"name": one.name, **one.model_dump(mode="json", exclude_defaults=True)}
        for one in recipe.strategies
    ]


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Translate a space for Optuna, whose choices are single values: here JSON."""
    return {key: _distribution(tried) for key, tried in space.items()}


def _distribution(tried: Tried) -> BaseDistribution:
    if not isinstance(tried, Range):
        return CategoricalDistribution([json.dumps(value) for value in tried])
    if isinstance(tried.low, int) and isinstance(tried.high, int):
        return IntDistribution(tried.low, tried.high, log=tried.log)
    return FloatDistribution(tried.low, tried.high, log=tried.log)


def choices_of(tried: CategoricalDistribution) -> list[JsonValue]:
    """Translate choices back to values of a recipe's key."""
    return [json.loads(str(choice)) for choice in tried.choices]


def settings_of(parameters: Mapping[str, float | str], space: Space) -> Settings:
    """Translate what Optuna has chosen back to values of the recipe's keys."""
    return {
        key: value if isinstance(space[key], Range) else json.loads(str(value))
        for key, value in parameters.items()
    }


def parameters_of(recipe: AnyRecipe, space: Space) -> dict[str, float | str]:
    """Translate a recipe as it is: those of its values that the space has, for Optuna to know."""
    values = recipe.model_dump(mode="json")
    in_short = {**values, "strategies": _in_short(recipe)}
    found: dict[str, float | str] = {}
    for key, tried in space.items():
        value, short = _at(values, key), _at(in_short, key)
        if isinstance(tried, Range):
            if isinstance(value, int | float) and tried.low <= value <= tried.high:
                found[key] = value
        elif value in tried or short in tried:
            found[key] = json.dumps(tried[tried.index(value if value in tried else short)])
    return found


def _at(values: object, key: str) -> JsonValue:
    """Find the value of a dotted key; None where there is none."""
    for part in key.split("."):
        if isinstance(values, list) and part.isdecimal() and int(part) < len(values):
            values = values[int(part)]
        else:
            values = values.get(part) if isinstance(values, dict) else None
    return values  # type: ignore[return-value]
