"""A recipe in; whether it takes gradient steps, and what it says of them in vain, out."""

from __future__ import annotations

from collections.abc import Iterator

from nlp_transfer.recipe import TrainingSection
from nlp_transfer.strategies.context import TransferRecipe

_READ_ANYWAY = ("class_weights", "seed", "precision", "fast_cpu", "arguments")
"""Keys of the training section that a fitted head depends on too."""


def takes_steps(recipe: TransferRecipe) -> bool:
    """Tell whether anything is left to learn by gradient steps."""
    return all(strategy.takes_steps for strategy in recipe.strategies)


def is_of_steps(key: str) -> bool:
    """Tell a dotted key of a recipe that only gradient steps depend on."""
    section, _, below = key.partition(".")
    if section != "training":
        return key == "model.dropout"
    own = below.split(".")[0]
    return own in TrainingSection.model_fields and own not in _READ_ANYWAY


def said_in_vain(recipe: TransferRecipe) -> Iterator[str]:
    """Name the keys of steps that a recipe sets where it takes none; defaults say nothing."""
    if takes_steps(recipe):
        return
    for name, section in (("model", recipe.model), ("training", recipe.training)):
        for key in section.model_dump(exclude_defaults=True):
            if is_of_steps(f"{name}.{key}"):
                yield f"{name}.{key}"
