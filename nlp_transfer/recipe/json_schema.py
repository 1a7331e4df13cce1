"""The JSON schema of recipes in; what a key may hold, in words and by an example, out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel

from nlp_transfer.errors import shortened

Node = dict[str, Any]
"""A part of a JSON schema."""

_SCALARS = {"boolean": "true or false", "string": "text", "null": "null"}


class RecipeSchema:
    """A JSON schema that can be walked along the path of a key."""

    def __init__(self, root: Node) -> None:
        self.root = root

    def resolved(self, node: Node) -> Node:
        """Follow a reference; what stands beside it stays."""
        while "$ref" in node:
            beside = {key: value for key, value in node.items() if key != "$ref"}
            node = {**self.root["$defs"][node["$ref"].rsplit("/", 1)[-1]], **beside}
        return node

    def alternatives(self, node: Node) -> list[Node]:
        """List what a value may be, one node each."""
        node = self.resolved(node)
        choices = node.get("anyOf") or node.get("oneOf")
        if not choices:
            return [node]
        return [found for choice in choices for found in self.alternatives(choice)]

    def tagged(self, node: Node) -> dict[str, Node]:
        """Return the sections that a `name` tells apart, by their names."""
        node = self.resolved(node)
        if "discriminator" in node:
            mapping: dict[str, str] = node["discriminator"]["mapping"]
            return {name: self.resolved({"$ref": ref}) for name, ref in mapping.items()}
        found: dict[str, Node] = {}
        for choice in node.get("anyOf", ()):
            found |= self.tagged(choice)
        return found

    def properties(self, node: Node) -> dict[str, Node]:
        """Return the keys that a section knows, and their nodes."""
        found: dict[str, Node] = {}
        for choice in self.alternatives(node):
            found |= choice.get("properties", {})
        return found

    def key_names(self, node: Node) -> list[str]:
        """Return the keys that a section or a mapping knows."""
        names = list(self.properties(node))
        for choice in self.alternatives(node):
            keys = self.resolved(choice.get("propertyNames", {}))
            names += keys.get("enum", [])
        return names

    def child(self, node: Node, part: str | int) -> Node | None:
        """Return the node of a key, a list item or a section by its name; None if there is none."""
        if isinstance(part, str) and part in (tagged := self.tagged(node)):
            return tagged[part]
        for choice in self.alternatives(node):
            if isinstance(part, int):
                found = choice.get("items")
            else:
                found = choice.get("properties", {}).get(part) or _any_key(choice)
            if isinstance(found, dict):
                return found
        return None

    def at(self, path: Sequence[str | int]) -> Node | None:
        """Return the node of a key by its path, the names of sections left out or in."""
        node: Node | None = self.root
        for part in path:
            if node is None:
                return None
            below = self.child(node, part)
            if below is None:  # a key of one of the sections that a name tells apart
                sections = self.tagged(node).values()
                below = next(filter(None, (self.child(one, part) for one in sections)), None)
            node = below
        return node

    def allowed(self, node: Node) -> str:
        """Say what a value may be."""
        if tagged := self.tagged(node):
            return f"{_joined(map(repr, tagged))} (alone, or as the name of a section)"
        return _joined(dict.fromkeys(self._allowed(choice) for choice in self.alternatives(node)))

    def _allowed(self, node: Node) -> str:
        if "form" in node:
            return str(node["form"])
        if "const" in node:
            return repr(node["const"])
        if "enum" in node:
            return _joined(_written(value) for value in node["enum"])
        kind = str(node.get("type", ""))
        if kind in ("integer", "number"):
            return _number(node, "a whole number" if kind == "integer" else "a number")
        if kind == "array":
            return _list(node, self.allowed(node["items"]) if node.get("items") else "")
        if kind == "object":
            return self._section(node)
        return _SCALARS.get(kind, "any value") + _length(node)

    def _section(self, node: Node) -> str:
        if "properties" in node:
            return f"a section ({shortened(list(node['properties']), 8)})"
        keys = node.get("propertyNames", {})
        names = keys.get("enum") or ([keys["const"]] if "const" in keys else [])
        about = f" of {', '.join(names)}" if names else ""
        return f"a mapping{about}"

    def example(self, node: Node) -> Any:
        """Return a value that the key may hold, other than its default where there is one."""
        node = self.resolved(node)
        if node.get("examples"):
            return node["examples"][0]
        choices = self.alternatives(node)
        default = node.get("default")
        for choice in choices:
            values = choice.get("enum") or ([choice["const"]] if "const" in choice else [])
            for value in values:
                if value not in (default, None):
                    return value
            if choice.get("type") == "boolean":
                return default is not True
        if isinstance(default, list) and len(default) > 1:
            return default[:1]
        return default

    def leaf(self, node: Node, path: str) -> tuple[str, Any] | None:
        """Return a key at or below a node and an example of its value; None if there is none."""
        node = self.resolved(node)
        tagged = self.tagged(node)
        if tagged:
            return path, next(iter(tagged))
        properties = self.properties(node)
        if not properties:
            example = self.example(node)
            return None if example is None else (path, example)
        first = next(iter(node.get("required", ())), next(iter(properties)))
        return self.leaf(properties[first], f"{path}.{first}".lstrip("."))

    def keys(self, node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
        """List all keys below a section that are values, with their paths; no strategies."""
        for key, below in self.properties(node).items():
            dotted = f"{path}.{key}".lstrip(".")
            tagged = self.tagged(below)
            if tagged:
                for section in tagged.values():
                    yield from self.keys(section, dotted)
            elif self.properties(below):
                yield from self.keys(below, dotted)
            else:
                yield dotted, below


def _written(value: object) -> str:
    return "null" if value is None else repr(value)


def _number(node: Node, noun: str) -> str:
    bounds = [
        f"{words} {node[key]:.10g}"
        for key, words in (
            ("minimum", "from"),
            ("exclusiveMinimum", "above"),
            ("maximum", "up to"),
            ("exclusiveMaximum", "below"),
        )
        if key in node
    ]
    return " ".join([noun, *bounds])


def _length(node: Node) -> str:
    if node.get("maxLength"):
        return f" of {node.get('minLength', 0)} to {node['maxLength']} characters"
    return " that is not empty" if node.get("minLength") else ""


def _list(node: Node, item: str) -> str:
    """Say what a list holds, in the plural where it is plain."""
    for one, many in (
        ("a whole number", "whole numbers"),
        ("a number", "numbers"),
        ("text", "texts"),
    ):
        if item.startswith(one):
            item = item.replace(one, many, 1)
    filled = ", at least one" if node.get("minItems") else ""
    return f"a list of {item}{filled}" if item else "a list"


def _joined(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} or {last}" if first else last


def _any_key(node: Node) -> Node | None:
    """Return what a mapping holds under keys that the user names."""
    patterns: dict[str, Node] = node.get("patternProperties", {})
    return next(iter(patterns.values()), node.get("additionalProperties"))


@cache
def schema_of(model: type[BaseModel]) -> RecipeSchema:
    """Build the JSON schema of a recipe type once; it takes longer than to check a recipe."""
    return RecipeSchema(model.model_json_schema())
