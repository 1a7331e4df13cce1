"""The recipe of a folder and that of a command in, UserError out where they are not the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nlp_transfer.errors import UserError
from nlp_transfer.manifest import check_file
from nlp_transfer.recipe.reader import read_recipe
from nlp_transfer.recipe.yaml_reader import read_yaml, yaml_text
from nlp_transfer.strategies.context import TransferRecipe


def check_same_recipe(folder: Path, recipe: TransferRecipe, *, what: str) -> None:
    """Refuse another recipe than the one that a folder keeps.

    what:   what of it the folder holds
    raises: UserError that shows what differs, or that it is damaged
    """
    path = folder / "recipe.yaml"
    check_file(path)
    now = read_yaml(recipe.as_yaml(), "recipe")[0]
    if differences := list(_differences(_stored(path, type(recipe)), now)):
        shown = "\n".join(f"  {line}" for line in differences[:12])
        raise UserError(
            f"{folder} holds the {what} of a different recipe:\n{shown}\n"
            "Choose another folder with --output DIR, or start over with --fresh."
        )


def _stored(path: Path, schema: type[TransferRecipe]) -> object:
    """Read the recipe of a folder: its paths where they are now, keys that are new by default."""
    try:
        text = read_recipe(schema, str(path)).as_yaml()
    except UserError:  # of an earlier version, which allowed what this one does not
        text = yaml_text(path)
    return read_yaml(text, str(path))[0]


def _differences(there: object, now: object, path: str = "") -> Iterator[str]:
    """Compare two recipes key by key."""
    if isinstance(there, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*there, *now]):
            yield from _differences(there.get(key), now.get(key), f"{path}.{key}".lstrip("."))
    elif there != now:
        yield f"{path}: {there!r} in the folder, {now!r} now"
