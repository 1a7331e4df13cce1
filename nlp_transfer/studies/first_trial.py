"""A recipe that leaves things to `auto` in; what they are in all trials of its search out."""

from __future__ import annotations

from nlp_transfer.recipe.reader import variants
from nlp_transfer.recipe.search_section import Settings
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.strategies.resolving import is_open


def chosen_for(recipe: AnyRecipe) -> Settings:
    """Choose what a recipe leaves to `auto`, once: it depends on data and version.

    returns: by keys of the recipe; nothing where it leaves nothing to it
    raises:  UserError for what a run would refuse of data and checkpoint
    """
    if not is_open(recipe):
        return {}
    from nlp_transfer.training.choosing import resolve

    resolved = resolve(recipe).recipe.model_dump(mode="json")
    own = recipe.training.model_dump(mode="json")
    training = resolved["training"].items()
    chosen = {f"training.{key}": value for key, value in training if value != own[key]}
    return {"strategies": resolved["strategies"], **chosen}


def with_auto(recipe: AnyRecipe, chosen: Settings) -> AnyRecipe:
    """Put what was chosen in the place of `auto`."""
    return variants(recipe, [chosen])[0] if chosen else recipe
