"""A recipe's name in, the recipe out, checked: every flow begins with one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nlp_transfer.data.sources import check_source
from nlp_transfer.data.sources.module import check_runs_no_code
from nlp_transfer.logs import lines_shown
from nlp_transfer.recipe.reader import find_recipe, located, read_recipe
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.strategies.resolving import is_open


def load_recipe(name: str, overrides: Sequence[str] = (), *, trust_runs: bool = True) -> AnyRecipe:
    """Read and check a recipe.

    name:       a shipped recipe's name, a YAML file or a run folder
    overrides:  "key.path=value" strings, the values read as YAML
    trust_runs: false: refuse data that is code (`data.source: module:function`) where the recipe
                lies in a run folder, which may be a stranger's
    raises:     UserError that lists every fault with its path and line
    """
    recipe = read_recipe(AnyRecipe, name, overrides)
    if not trust_runs and not any(o.startswith(("data.source=", "data=")) for o in overrides):
        check_runs_no_code(find_recipe(name), recipe.data.source)
    return recipe


@lines_shown()
def resolve(recipe: AnyRecipe) -> AnyRecipe:
    """Choose what a recipe leaves to `auto`, as a run of it does; the line that says it is logged.

    It reads the data, and of the checkpoint the configuration. What the recipe says itself stays.

    returns: a recipe that says all itself; one that leaves nothing to `auto` is as it was
    raises:  UserError for what a run would refuse of data and checkpoint
    """
    if not is_open(recipe):
        return recipe
    from nlp_transfer.training.choosing import resolve as resolved

    return resolved(located(recipe)).recipe


def validate(name: str, overrides: Sequence[str] = ()) -> AnyRecipe:
    """Read a recipe and refuse all that a run of it would refuse before it loads data or a model.

    What only the data of the Hub or of a function can tell is not known here.

    name, overrides: as `load_recipe` has them
    raises:          UserError that lists every fault with its path and line
    """
    recipe = read_recipe(AnyRecipe, name, overrides, paths_exist=True)
    check_source(recipe.data, recipe.task.rows.keys)
    if recipe.training.arguments:  # names and types are checked; the rest takes torch, and seconds
        from nlp_transfer.training.arguments import training_arguments

        training_arguments(recipe.training, Path("runs"), strategies=recipe.strategies)
    return recipe
