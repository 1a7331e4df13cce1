"""A recipe file and key=value overrides in, a checked Recipe out; every fault said at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nlp_transfer.errors import UserError, nearest
from nlp_transfer.recipe.sections import Recipe
from nlp_transfer.recipe.yaml_reader import KeyPath, read_yaml

RecipeT = TypeVar("RecipeT", bound="Recipe[Any, Any]")


def shipped_recipes() -> dict[str, Path]:
    """Find the recipes that come with the package, by name."""
    packaged = Path(str(files("nlp_transfer") / "recipes"))
    folder = packaged if packaged.is_dir() else Path(__file__).parents[2] / "recipes"
    return {path.stem: path for path in sorted(folder.rglob("*.yaml"))}


def find_recipe(name: str) -> Path:
    """Find a recipe by file, run folder or name: the user's files first, then the shipped ones."""
    given = Path(name)
    for path in (
        given,
        given / "recipe.yaml",
        Path(f"{name}.yaml"),
        Path("recipes", f"{name}.yaml"),
    ):
        if path.is_file():
            return path
    shipped = shipped_recipes()
    if name in shipped:
        return shipped[name]
    raise UserError(
        f"Recipe {name!r} is neither a file nor a shipped recipe.{nearest(name, shipped)} "
        "`nlpt recipes list` shows the shipped ones."
    )


def read_recipe(schema: type[RecipeT], name: str, overrides: Sequence[str] = ()) -> RecipeT:
    """Read, override and check a recipe.

    schema:    the concrete Recipe type
    name:      recipe name, YAML file or run folder
    overrides: "key.path=value", the value read as YAML
    raises:    UserError that lists every fault with its path and line
    """
    path = find_recipe(name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8."
        ) from None
    value, lines = read_yaml(text, str(path))
    if not isinstance(value, dict):
        raise UserError(f"{path}: a recipe is a mapping of sections (name, task, data, model...).")
    origins = {key: f"{path}:{line}" for key, line in lines.items()}
    for override in overrides:
        value = _apply_override(value, override, origins)
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        raise UserError(_explain(error, schema, origins, str(path))) from None


def _apply_override(value: Any, override: str, origins: dict[KeyPath, str]) -> Any:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UserError(f"{override!r} is not an override; write key.path=value, without blanks.")
    parsed, _ = read_yaml(text, override)
    path: KeyPath = tuple(int(p) if re.fullmatch(r"\d+", p) else p for p in key.split("."))
    for stale in [known for known in origins if known[: len(path)] == path]:
        del origins[stale]
    for depth in range(1, len(path)):
        origins.setdefault(path[:depth], "command line")
    origins[path] = "command line"
    return _replaced(value, path, parsed, key)


def _replaced(value: Any, path: KeyPath, new: Any, key: str) -> Any:
    """Return a copy of `value` with `new` at `path`."""
    if not path:
        return new
    head, rest = path[0], path[1:]
    if isinstance(value, list):
        if not isinstance(head, int) or head >= len(value):
            raise UserError(f"{key}: the list has the items 0 to {len(value) - 1}, not {head!r}.")
        return [_replaced(v, rest, new, key) if i == head else v for i, v in enumerate(value)]
    if value is None or isinstance(value, dict):
        value = value or {}
        return {**value, str(head): _replaced(value.get(str(head)), rest, new, key)}
    raise UserError(f"{key}: {value!r} is a single value, it has nothing called {head!r}.")


def _explain(
    error: ValidationError, schema: type[BaseModel], origins: dict[KeyPath, str], where: str
) -> str:
    faults = [_explain_one(fault, schema, origins, where) for fault in error.errors()]
    count = f"{len(faults)} faults" if len(faults) > 1 else "1 fault"
    return f"The recipe has {count}:\n" + "\n".join(f"  {fault}" for fault in faults)


def _explain_one(
    fault: ErrorDetails, schema: type[BaseModel], origins: dict[KeyPath, str], where: str
) -> str:
    loc = fault["loc"]
    dotted = ".".join(str(part) for part in loc) or "recipe"
    place = _place(loc, origins, where)
    if fault["type"] == "extra_forbidden":
        known = list(_keys_at(schema, loc[:-1]))
        hint = nearest(str(loc[-1]), known)
        return f"{place}: {dotted}: unknown key.{hint} Known here: {', '.join(known)}."
    if loc[-1:] == ("[key]",) and fault["type"] == "literal_error":  # data.splits, data.columns
        expected = str(fault.get("ctx", {}).get("expected", ""))
        known = re.findall(r"'([^']*)'", expected)
        hint = nearest(str(fault["input"]), known)
        dotted = dotted.removesuffix(".[key]")
        return f"{place}: {dotted}: unknown key.{hint} Known here: {', '.join(known)}."
    if fault["type"] == "missing":
        return f"{place}: {dotted}: this key is required."
    if fault["type"] == "union_tag_invalid":
        context = fault.get("ctx", {})
        expected = str(context.get("expected_tags", "")).replace("'", "")
        hint = nearest(str(context.get("tag")), expected.split(", "))
        return f"{place}: {dotted}: {context.get('tag')!r} is unknown ({expected}).{hint}"
    message = fault["msg"].removeprefix("Value error, ")
    found = (
        "" if isinstance(fault["input"], dict | list | BaseModel) else f", found {fault['input']!r}"
    )
    return f"{place}: {dotted}: {message[:1].lower()}{message[1:]}{found}."


def _place(loc: tuple[int | str, ...], origins: dict[KeyPath, str], where: str) -> str:
    """Find the line of the longest known prefix, skipping the tags pydantic adds for unions."""
    path: KeyPath = ()
    for part in loc:
        if (*path, part) in origins:
            path = (*path, part)
    return origins.get(path, where) if path else where


def _keys_at(schema: type[BaseModel], loc: Sequence[int | str]) -> Iterator[str]:
    """List the keys that the section at `loc` knows, read from the JSON schema."""
    root = schema.model_json_schema()
    node: dict[str, Any] = root
    for part in loc:
        node = _resolve(root, node)
        if "discriminator" in node:
            node = {"$ref": node["discriminator"]["mapping"][str(part)]}
        elif isinstance(part, int):
            node = node.get("items", {})
        else:
            node = node.get("properties", {}).get(part, {})
    yield from _resolve(root, node).get("properties", {})


def _resolve(root: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        node = root["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node
