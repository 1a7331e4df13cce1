"""YAML as its readers mean it: text in, plain values and the line of every key out, and back.

PyYAML follows YAML 1.1, where `no` is false, `5e-5` is text and `12:30` is a number. Recipes are
read by the YAML 1.2 core schema instead.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from nlp_transfer.errors import UserError

KeyPath = tuple[str | int, ...]


class CoreLoader(yaml.SafeLoader):
    """SafeLoader with the implicit types of the YAML 1.2 core schema, refusing duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


CoreLoader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), first
    )


def _construct_int(loader: CoreLoader, node: yaml.ScalarNode) -> int:
    """Read 007 as 7 and 0o17 as 15; PyYAML's own constructor would read 017 as octal."""
    text = str(node.value)
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text, base)


CoreLoader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def read_yaml(text: str, where: str) -> tuple[Any, dict[KeyPath, int]]:
    """Parse one YAML document.

    where:   how to name the text in an error message (a path, or "data.source=...")
    returns: the value, and the line (from 1) of every key and list item by its path
    raises:  UserError with line and column when the text is not YAML
    """
    loader = None
    try:
        loader = CoreLoader(text)  # refuses control characters
        node = loader.get_single_node()
        lines: dict[KeyPath, int] = {}
        if node is None:
            return None, lines
        _collect_lines(node, (), lines)
        return loader.construct_document(node), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        problem = getattr(error, "problem", None) or str(error)
        raise UserError(f"{place}: this is not valid YAML: {problem}.") from None
    except RecursionError:
        raise UserError(f"{where}: this is not valid YAML: it holds itself (&, *).") from None
    finally:
        if loader is not None:
            loader.dispose()


def write_yaml(value: Any) -> str:
    """Write plain values so that YAML 1.1 and 1.2 readers alike get them back as they were."""
    return yaml.dump(value, Dumper=_CarefulDumper, sort_keys=False, allow_unicode=True)


class _CarefulDumper(yaml.SafeDumper):
    """SafeDumper that quotes a text which either version of YAML would read as something else."""


# SafeDumper itself leaves the text 1e3 bare, which the core schema reads as a number.
_CarefulDumper.yaml_implicit_resolvers = {
    first: [
        *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
        *CoreLoader.yaml_implicit_resolvers.get(first, []),
    ]
    for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *CoreLoader.yaml_implicit_resolvers}
}


def _collect_lines(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be plain text", key.start_mark
                )
            lines[(*path, key.value)] = key.start_mark.line + 1
            _collect_lines(value, (*path, key.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _collect_lines(item, (*path, index), lines)
