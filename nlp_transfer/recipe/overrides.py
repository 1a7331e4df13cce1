"""A recipe's values and "key.path=value" from the command line in, the changed values out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import JsonValue

from nlp_transfer.errors import UserError
from nlp_transfer.recipe.base import by_name, listed, pairs
from nlp_transfer.recipe.faults import COMMAND_LINE
from nlp_transfer.recipe.yaml_reader import KeyPath, compose, read_yaml

_DEEPEST = 40


def apply_overrides(value: object, overrides: Sequence[str], origins: dict[KeyPath, str]) -> object:
    """Return the values with every override applied, the later ones last.

    origins: where each key stands; what an override sets is noted in it
    raises:  UserError for what is no override, naming the right form
    """
    for position, override in enumerate(overrides):
        key, equals, text = (part.strip() for part in override.partition("="))
        if not equals or not key or key.startswith("-") or _is_torn(overrides, position):
            raise UserError(_not_an_override(overrides, position))
        parsed = _value(text, override if len(override) <= 80 else key[:80])
        path: KeyPath = tuple(int(p) if re.fullmatch(r"\d{1,9}", p) else p for p in key.split("."))
        if len(path) > _DEEPEST:
            raise UserError(f"{key[:60]}...: a key has at most {_DEEPEST} parts.")
        for stale in [known for known in origins if known[: len(path)] == path]:
            del origins[stale]
        for depth in range(1, len(path)):
            origins.setdefault(path[:depth], COMMAND_LINE)
        origins[path] = COMMAND_LINE
        value = _replaced(value, path, parsed, key, ())
    return value


def read_choices(argument: str) -> tuple[str, tuple[JsonValue, ...]]:
    """Read KEY=A,B: a key and values that it is to take; a comma in brackets or quotes is theirs.

    raises: UserError for another form, or a value that stands there twice
    """
    key, equals, text = (part.strip() for part in argument.partition("="))
    example = "Example: training.learning_rate=1e-5,3e-5"
    if not equals or not text or not _is_key(key):
        raise UserError(f"--vary: {argument[:80]!r} must be KEY=VALUE,VALUE. {example}")
    where = f"--vary {argument}" if len(argument) <= 80 else f"--vary {key[:80]}"
    values = _value(f"[{text}]", where)
    assert isinstance(values, list)
    if twice := [one for number, one in enumerate(values) if one in values[:number]]:
        raise UserError(f"{where}: {twice[0]!r} stands there twice.")
    return key, tuple(values)


_SIGN = re.compile(r"[^\w\s'\"\[\]{}~]+")


def _value(text: str, where: str) -> object:
    """Read a value as YAML, but a sign such as | or # as itself; no comment may hide a part."""
    if _SIGN.fullmatch(text):
        return text
    node = compose(text, where)
    if text[node.end_mark.index if node else 0 :].strip().startswith("#"):
        raise UserError(f"{where}: a # begins a comment; put a text that holds it in quotes.")
    return read_yaml(text, where)[0]


def _is_torn(overrides: Sequence[str], position: int) -> bool:
    """Tell `training.epochs= 3`, whose value is the next argument, from an empty value."""
    following = overrides[position + 1 : position + 2]
    return overrides[position].endswith("=") and bool(following) and "=" not in following[0]


def _not_an_override(overrides: Sequence[str], position: int) -> str:
    """Say how an argument is written; blanks have cut an override into several of them."""
    given = overrides[position]
    if given.startswith("-"):
        return f"{given[:80]!r} is not an override; write it without dashes: {given.lstrip('-')}"
    rest = [argument for argument in overrides[position : position + 3] if argument != "="]
    key = rest[0].rstrip("=:")
    joined = f"{key}={rest[1].lstrip('=')}" if len(rest) > 1 and _is_key(key) else ""
    hint = f" Write {joined} instead." if joined else ""
    return f"{given[:80]!r} is not an override; write key.path=value, without blanks.{hint}"


def _is_key(text: str) -> bool:
    return bool(re.fullmatch(r"\w+(\.\w+)*", text))


def _replaced(value: object, path: KeyPath, new: object, key: str, done: KeyPath) -> object:
    """Return a copy of `value`, which stands at `done`, with `new` at `path` below it."""
    if not path:
        return new
    head, rest = path[0], path[1:]
    value = _long_form(value, done)
    if isinstance(value, list):
        if not isinstance(head, int) or head >= len(value):
            raise UserError(
                f"{key}: the list has the items 0 to {len(value) - 1}, not {head!r}. Write a "
                f"number, or the whole list: {'.'.join(map(str, done))}=[...]"
            )
        return [
            _replaced(item, rest, new, key, (*done, number)) if number == head else item
            for number, item in enumerate(value)
        ]
    if value is None or isinstance(value, dict):
        value = value or {}
        below = _replaced(value.get(str(head)), rest, new, key, (*done, str(head)))
        return {**value, str(head): below}
    raise UserError(f"{key}: {value!r:.60} is a single value, it has nothing called {head!r}.")


def _long_form(value: object, path: KeyPath) -> object:
    """Write out a short form, so that an override can reach into it."""
    if path == ("strategies",):
        return listed(value)
    if path == ("task",) or (path[:1] == ("strategies",) and len(path) == 2):
        return by_name(value)
    if path in (("data", "columns"), ("data", "splits")):
        return pairs(value)
    return value
