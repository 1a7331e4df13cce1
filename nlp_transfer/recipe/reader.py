"""A recipe's name and key=value overrides in, a checked Recipe out; every fault said at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from nlp_transfer.errors import UserError, nearest
from nlp_transfer.recipe.faults import Explainer
from nlp_transfer.recipe.json_schema import schema_of
from nlp_transfer.recipe.overrides import apply_overrides
from nlp_transfer.recipe.paths import (
    Surroundings,
    is_file,
    is_folder,
    local_path,
    looks_like_path,
    no_such_path,
)
from nlp_transfer.recipe.recipe import Recipe
from nlp_transfer.recipe.shipped import shipped_recipes
from nlp_transfer.recipe.yaml_reader import KeyPath, read_yaml, yaml_text

RecipeT = TypeVar("RecipeT", bound="Recipe[Any, Any]")

FOLDER_KEY = "folder"
"""Where environment.json of a run keeps the path of its folder."""


def find_recipe(name: str) -> Path:
    """Find a recipe by file, run folder or name: the user's files first, then the shipped ones."""
    given = local_path(name)
    own = Path("recipes", f"{name}.yaml")
    for path in (given, given / "recipe.yaml", Path(f"{name}.yaml"), own):
        if is_file(path):
            return path
    shipped = shipped_recipes()
    if name in shipped:
        return shipped[name]
    if is_folder(given):
        raise UserError(f"Recipe {name!r} is a folder without a recipe.yaml.")
    if looks_like_path(name):
        raise UserError(f"--recipe: {no_such_path(name, what='recipe')}")
    files_here = {path.stem: path.name for path in [*Path().glob("*.yaml"), *Path().glob("*.yml")]}
    raise UserError(
        f"Recipe {name[:100]!r} is neither a file nor a shipped recipe."
        f"{nearest(name, {**shipped, **files_here})} `nlpt recipes list` shows the shipped ones."
    )


def read_recipe(
    schema: type[RecipeT], name: str, overrides: Sequence[str] = (), *, paths_exist: bool = False
) -> RecipeT:
    """Read, override and check a recipe; its paths become absolute.

    schema:      the concrete Recipe type
    name:        recipe name, YAML file or run folder
    overrides:   "key.path=value", the value read as YAML
    paths_exist: refuse a path that leads nowhere
    raises:      UserError that lists every fault with its path and line
    """
    path = find_recipe(name)
    value, lines = read_yaml(yaml_text(path), str(path))
    if not isinstance(value, dict):
        raise UserError(f"{path}: a recipe is a mapping of sections (name, task, data, model...).")
    origins = {key: f"{path}:{line}" for key, line in lines.items() if key}
    value = apply_overrides(value, overrides, origins)
    folders = tuple(dict.fromkeys((Path.cwd(), path.parent.absolute())))
    surroundings = Surroundings(folders, _moved(path), must_exist=paths_exist)
    return _checked(schema, value, surroundings, origins, str(path))


def located(recipe: RecipeT, *, paths_exist: bool = False) -> RecipeT:
    """Make the paths of a recipe absolute that no file was read for: made in Python, say.

    paths_exist: refuse a path that leads nowhere
    raises:      UserError that lists every fault
    """
    value = recipe.model_dump(mode="json")
    surroundings = Surroundings((Path.cwd(),), must_exist=paths_exist)
    return _checked(type(recipe), value, surroundings, {}, f"recipe {recipe.name}")


def _checked(
    schema: type[RecipeT],
    value: Any,
    surroundings: Surroundings,
    origins: Mapping[KeyPath, str],
    where: str,
) -> RecipeT:
    """Check values; one fault brings those of paths to light too."""
    try:
        return schema.model_validate(value, context=surroundings)
    except ValidationError as error:
        errors = [error]
    try:
        schema.model_validate(value, context=replace(surroundings, must_exist=True))
    except ValidationError as error:
        errors.append(error)
    raise UserError(Explainer(schema_of(schema), origins, where).explain(errors))


def _moved(path: Path) -> tuple[Path, Path] | None:
    """Tell where the run folder of a resolved recipe was, and where it is."""
    environment = path.parent / "environment.json"
    if path.name != "recipe.yaml" or not environment.is_file():
        return None
    try:
        before = json.loads(environment.read_text(encoding="utf-8"))[FOLDER_KEY]
        return Path(before), path.parent.absolute()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # a run of an earlier version, or no run of ours
