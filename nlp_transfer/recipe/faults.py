"""What pydantic refuses in, what a user can do about it out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nlp_transfer.errors import nearest, sentence, shortened
from nlp_transfer.recipe.base import FaultsError
from nlp_transfer.recipe.familiar import FAMILIAR, is_key, same_place
from nlp_transfer.recipe.json_schema import Node, RecipeSchema
from nlp_transfer.recipe.trainer_arguments import argument_types
from nlp_transfer.recipe.wording import found_value, meant
from nlp_transfer.recipe.yaml_reader import KeyPath, write_flow

COMMAND_LINE = "command line"
"""The origin of what an override says."""
_STRATEGY: KeyPath = ("strategies", 0)
_MOST = 50
"""Faults that are told one by one."""
_UNION_MEMBER = re.compile(
    r"(constrained-)?(str|int|float|bool|dict|list|tuple)|(literal|dict|list|tuple|function-\w+)\[.*"
)


class _Told(NamedTuple):
    """One fault."""

    path: KeyPath
    text: str
    of_union: bool = False
    """It is one member's of a union; another may have gone deeper into the value."""


class _Spot(NamedTuple):
    """Where in a recipe pydantic found a fault."""

    path: KeyPath
    dotted: str
    """The path with the names of tasks and strategies."""
    node: Node
    section: Node
    """What the node is a part of."""
    of_key: bool
    """The fault is the key's, not its value's."""


@dataclass(frozen=True)
class Explainer:
    """Says what is wrong with a recipe."""

    schema: RecipeSchema
    origins: Mapping[KeyPath, str]
    """Where each key stands: file and line, or the command line."""
    where: str
    """What a missing key is missing in."""

    def explain(self, errors: Iterable[ValidationError]) -> str:
        """List all faults, one a line and each once."""
        all_faults = (fault for error in errors for fault in error.errors(include_url=False))
        faults = list({str(fault["loc"]): fault for fault in all_faults}.values())
        told = [one for fault in faults[:_MOST] for one in self._told(fault)]
        lines = list(dict.fromkeys(f"  {one.text}" for one in told if not _is_less(one, told)))
        more = len(faults[_MOST:])
        count = len(lines) + more
        if more:
            lines.append(f"  ... and {more} more")
        return "\n".join([f"The recipe has {count} fault{'s' if count > 1 else ''}:", *lines])

    def _told(self, fault: ErrorDetails) -> Iterator[_Told]:
        spot = self._spot(fault["loc"])
        error = fault.get("ctx", {}).get("error")
        if isinstance(error, FaultsError):
            for key, problem in error.faults:
                below: KeyPath = (*spot.path, *(key.split(".") if key else ()))
                dotted = ".".join(filter(None, [spot.dotted, key])) or "recipe"
                yield _Told(below, f"{self._place(below)}: {dotted}: {sentence(problem)}")
            return
        if fault["type"] == "union_tag_invalid":
            spot = spot._replace(path=(*spot.path, "name"))
        problem = self._problem(fault, spot)
        text = f"{self._place(spot.path)}: {spot.dotted or 'recipe'}: {problem}"
        is_member = any(_UNION_MEMBER.fullmatch(str(part)) for part in fault["loc"])
        yield _Told(spot.path, text, is_member)

    def _spot(self, loc: Sequence[int | str]) -> _Spot:
        """Walk the schema along a path of pydantic's, which names members of unions too."""
        path: list[str | int] = []
        dotted: list[str] = []
        node = section = self.schema.root
        for part in loc:
            if part == "[key]" or _UNION_MEMBER.fullmatch(str(part)):
                continue
            if part not in self.schema.tagged(node):
                path.append(part)
            dotted.append(str(part) if len(str(part)) <= 80 else f"{str(part)[:80]}...")
            node, section = self.schema.child(node, part) or {}, node
        return _Spot(tuple(path), ".".join(dotted), node, section, "[key]" in loc)

    def _problem(self, fault: ErrorDetails, spot: _Spot) -> str:
        kind, value = fault["type"], fault["input"]
        if kind == "extra_forbidden" or (spot.of_key and kind == "literal_error"):
            return self._unknown_key(spot, value)
        if kind == "missing":
            names = self._names(spot.node)
            return f"this key is required{names and f': {names}'}.{self._example(spot)}"
        if kind == "union_tag_invalid":
            name, known = value.get("name"), list(self.schema.tagged(spot.node))
            hint = meant(name, known) if isinstance(name, str) else ""
            return f"{found_value(name)} is unknown ({', '.join(known)}).{hint}"
        if kind == "union_tag_not_found":
            if isinstance(value, dict) and len(value) == 1:  # lora: {rank: 8}
                name, below = next(iter(value.items()))
                if name in self.schema.tagged(spot.node):
                    right = write_flow({"name": name, **(below if isinstance(below, dict) else {})})
                    return f"the name stands inside its section. Write {right}"
            return f"a section here has a name: {self._names(spot.node)}.{self._example(spot)}"
        if kind == "value_error":
            problem = str(fault["ctx"]["error"])
            return sentence(f"{problem[:1].lower()}{problem[1:]}")
        if spot.of_key:
            return f"{found_value(value)} cannot be a name here; use letters, digits, - and _."
        return self._wrong_value(value, spot)

    def _names(self, node: Node) -> str:
        return ", ".join(map(repr, self.schema.tagged(node)))

    def _wrong_value(self, value: object, spot: _Spot) -> str:
        hint = ""
        if isinstance(value, str):
            choices = [c for node in self.schema.alternatives(spot.node) for c in _choices(node)]
            hint = meant(value, choices)
        allowed = self.schema.allowed(spot.node)
        return f"must be {allowed}, found {found_value(value)}.{hint}{self._example(spot, value)}"

    def _unknown_key(self, spot: _Spot, value: object) -> str:
        name = str(spot.path[-1])
        folded = name.lower().replace("-", "_")
        known = self.schema.key_names(spot.section)
        if ours := same_place(folded, known):
            return f"unknown key. Did you mean {ours!r}? Known here: {shortened(known)}."
        if spot.path[0] == "strategies" and (found := self._sections_with(folded, _STRATEGY)):
            return f"unknown key. {self._of_strategies(found, folded, value)}"
        if spot.path[0] == "task" and (found := self._sections_with(folded, ("task",))):
            return f"unknown key. It is one of task {found[0]}. Known here: {shortened(known)}."
        if ours := FAMILIAR.get(folded) or self._elsewhere(folded):
            return f"unknown key. {self._instead(ours)}"
        if folded in argument_types():
            key = ("training", "arguments", folded)
            return f"unknown key. It is an argument of the Trainer: {self._override(key, value)}"
        if found := self._sections_with(folded, _STRATEGY):
            return f"unknown key. {self._of_strategies(found, folded, value)}"
        hint = nearest(name, known)
        if not hint and len(spot.path) == 1:
            keys = {path.rpartition(".")[2]: path for path in reversed(self._keys())}
            keys = {**{theirs: ours for theirs, ours in FAMILIAR.items() if is_key(ours)}, **keys}
            hint = nearest(name, keys, shown=keys)
        return f"unknown key.{hint} Known here: {shortened(known)}."

    def _keys(self) -> list[str]:
        return [path for path, _ in self.schema.keys(self.schema.root)]

    def _elsewhere(self, name: str) -> str:
        """Name our keys that are called so in other sections."""
        found = [path for path in self._keys() if path.rpartition(".")[2] == name]
        return " or ".join(found[:4])

    def _sections_with(self, name: str, path: KeyPath) -> list[str]:
        """List the tasks, or strategies, that have a key of this name."""
        sections = self.schema.tagged(self.schema.at(path) or {}).items()
        return [tag for tag, node in sections if name in self.schema.properties(node)]

    def _of_strategies(self, strategies: Sequence[str], key: str, value: object) -> str:
        """Say that a key belongs to other strategies, with an example where it is one."""
        if len(strategies) > 1:
            return f"It belongs to the strategies {', '.join(strategies)}."
        example = self._override(("strategies",), [{"name": strategies[0], key: value}])
        return f"It belongs to the strategy {strategies[0]}: {example}"

    def _instead(self, ours: str) -> str:
        """Say what to write instead of a key of others."""
        path = ours.split(" ")[0].rstrip(",").split(".")
        node = self.schema.at(path) if len(path) > 1 else None
        if node is None:
            return f"Here: {ours}."
        about = self.schema.resolved(node).get("description", "") if is_key(ours) else ""
        value = self.schema.example(node)
        example = "" if value is None else f" Example: {self._override(path, value)}"
        return f"Here it is {ours}{about and f' ({about})'}.{example}"

    def _example(self, spot: _Spot, value: object = None) -> str:
        """Show the right form of a key, as it is written where the fault is."""
        path = list(spot.path)
        numbers = [place for place, part in enumerate(path) if isinstance(part, int)]
        if numbers and path[0] != "strategies":
            path = path[: numbers[0]]  # an item is written with its whole list
        node = spot.node if len(path) == len(spot.path) else self.schema.at(path) or {}
        found = self.schema.leaf(node, ".".join(map(str, path)))
        if found is None or not found[0]:
            return ""
        key, example = found
        if (
            isinstance(value, str)
            and value
            and isinstance(example, str)
            and key.count(".") > len(path) - 1
        ):
            example = value  # data=mydata means its source
        parts = key.split(".")
        if parts[-1].isdecimal():  # an item of a list, told by its name
            parts.append("name")
        if self._place(tuple(parts)) == COMMAND_LINE:
            return f" Example: {self._override(parts, example)}"
        below = parts[max(len(path) - 1, 0) :] if len(parts) > len(path) else parts[-1:]
        for part in reversed(below[1:] if not below[0].isdecimal() else below[2:]):
            example = {part: example}
        head = "name" if below[0].isdecimal() else below[0]
        return f" Example: {head}: {write_flow(example)}"

    def _override(self, path: Sequence[str], value: object) -> str:
        return shlex.quote(f"{'.'.join(path)}={write_flow(value)}")

    def _place(self, path: KeyPath) -> str:
        """Find the place of the longest known prefix."""
        for length in range(len(path), 0, -1):
            known = tuple(int(p) if str(p).isdecimal() else p for p in path[:length])
            for prefix in (path[:length], known):
                if prefix in self.origins:
                    return self.origins[prefix]
        return self.where


def _is_less(one: _Told, told: Sequence[_Told]) -> bool:
    """Tell whether another member of a union says more of the same value."""
    return any(
        len(other.path) > len(one.path) and other.path[: len(one.path)] == one.path
        for other in told
        if one.of_union
    )


def _choices(node: Node) -> list[str]:
    values = node.get("enum") or ([node["const"]] if "const" in node else [])
    return [value for value in values if isinstance(value, str)]
