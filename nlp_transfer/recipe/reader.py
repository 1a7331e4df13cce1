"""A recipe's name and key=value overrides in, a checked Recipe out; every fault said at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from nlp_transfer.errors import UserError, nearest
from nlp_transfer.manifest import check_file
from nlp_transfer.recipe.base import Section
from nlp_transfer.recipe.data_section import DataSection
from nlp_transfer.recipe.faults import COMMAND_LINE, Explainer
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
from nlp_transfer.recipe.search_section import Settings, examples_of
from nlp_transfer.recipe.shipped import shipped_recipes
from nlp_transfer.recipe.yaml_reader import KeyPath, read_yaml, write_flow, yaml_text

RecipeT = TypeVar("RecipeT", bound="Recipe[Section, Section]")

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
    if _is_of_run(path):
        check_file(path)
    value, lines = read_yaml(yaml_text(path), str(path))
    if not isinstance(value, dict):
        raise UserError(f"{path}: a recipe is a mapping of sections (name, task, data, model...).")
    origins = {key: f"{path}:{line}" for key, line in lines.items() if key}
    value = apply_overrides(value, overrides, origins)
    folders = tuple(dict.fromkeys((Path.cwd(), path.parent.absolute())))
    surroundings = Surroundings(folders, _moved(path), must_exist=paths_exist)
    recipe = _checked(schema, value, surroundings, origins, str(path))
    recipe = _with_data(recipe, recipe.data.where_lapses(_of_other_data(path, origins)))
    tried = [{key: one} for key, of_key in recipe.search.items() for one in examples_of(of_key)]
    places = {key[1:]: place for key, place in origins.items() if key[0] == "search"}
    variants(recipe, tried, {".".join(map(str, key)): place for key, place in places.items()})
    return recipe


def variants(
    recipe: RecipeT, settings: Sequence[Settings], origins: Mapping[str, str] = {}
) -> list[RecipeT]:
    """Change keys of a recipe in several ways, one recipe each.

    origins: where a key was said, if not on the command line
    raises:  UserError that lists the faults of all of them at once
    """
    tried = [_varied(recipe, changes, origins) for changes in settings]
    faults = dict.fromkeys(line for one in tried if isinstance(one, list) for line in one)
    if faults:
        count = f"{len(faults)} fault{'s' if len(faults) > 1 else ''}"
        raise UserError("\n".join([f"The recipe has {count} in what is to be tried:", *faults]))
    return [one for one in tried if not isinstance(one, list)]


def _varied(recipe: RecipeT, changes: Settings, origins: Mapping[str, str]) -> RecipeT | list[str]:
    """Change keys of a recipe; returns the lines that say what is wrong with it, if anything is."""
    changed: dict[KeyPath, str] = {}
    overrides = [f"{key}={write_flow(value)}" for key, value in changes.items()]
    lapsing = recipe.data.lapsing
    if not changes.keys().isdisjoint({"data", "data.source"}):
        changed_here = {key.removeprefix("data.") for key in changes}
        lapsing |= frozenset(recipe.data.said()) - ({"unlabelled"} & changed_here)
    try:
        value = apply_overrides(recipe.given(), overrides, changed)
        places = {key: origins.get(".".join(map(str, key)), at) for key, at in changed.items()}
        surroundings = Surroundings((Path.cwd(),))
        checked = _checked(type(recipe), value, surroundings, places, f"recipe {recipe.name}")
    except UserError as error:
        _, *faults = str(error).split("\n")  # below a line that counts them
        return faults or [f"  {error}"]
    return _with_data(checked, checked.data.where_lapses(lapsing))


def located(recipe: RecipeT) -> RecipeT:
    """Make the paths of a recipe absolute that no file was read for: made in Python, say.

    raises: UserError that lists every fault
    """
    return _located(recipe, must_exist=False)


def check_paths(recipe: RecipeT) -> RecipeT:
    """Refuse a recipe with a path that leads nowhere.

    returns: the recipe, its paths absolute
    raises:  UserError that lists every fault
    """
    return _located(recipe, must_exist=True)


def _located(recipe: RecipeT, *, must_exist: bool) -> RecipeT:
    surroundings = Surroundings((Path.cwd(),), must_exist=must_exist)
    checked = _checked(type(recipe), recipe.given(), surroundings, {}, f"recipe {recipe.name}")
    return _with_data(checked, checked.data.where_lapses(recipe.data.lapsing))


def _with_data(recipe: RecipeT, data: DataSection) -> RecipeT:
    return recipe.model_copy(update={"data": data})


def _of_other_data(path: Path, origins: Mapping[KeyPath, str]) -> Iterator[str]:
    """List the keys of data that the recipe says for its own, where the command line names other.

    What a run was told and did not use has lapsed already; its unlabelled texts are its own.
    """
    is_other = COMMAND_LINE in (origins.get(("data", "source")), origins.get(("data",)))
    if is_other or _is_of_run(path):
        for (section, *key), origin in origins.items():
            is_own = not is_other and key == ["unlabelled"]
            if section == "data" and key and origin != COMMAND_LINE and not is_own:
                yield ".".join(map(str, key))


def _checked(
    schema: type[RecipeT],
    value: object,
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
    if not _is_of_run(path):
        return None
    try:
        before = json.loads(_environment(path).read_text(encoding="utf-8"))[FOLDER_KEY]
        return Path(before), path.parent.absolute()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # a run of an earlier version, or no run of ours


def _is_of_run(path: Path) -> bool:
    """Tell the recipe of a run folder."""
    return path.name == "recipe.yaml" and _environment(path).is_file()


def _environment(path: Path) -> Path:
    return path.parent / "environment.json"
