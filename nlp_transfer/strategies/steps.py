"""A recipe in; whether it takes gradient steps, and which of its keys depend on them, out."""

from __future__ import annotations

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
