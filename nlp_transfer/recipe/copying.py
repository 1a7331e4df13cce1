"""A recipe's text in, the text of a recipe of the user's own out."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import yaml

from nlp_transfer.errors import UserError
from nlp_transfer.recipe.yaml_reader import compose

SCHEMA_FILE = "recipe.schema.json"
"""What the first line of a recipe names, for editors; it lies beside the recipe."""

_LICENCE = "# Data licence:"


def copied_text(text: str, source: str, target: Path) -> str:
    """Rewrite a recipe under the name of its new file.

    What its comment says of the original is left out: its command, its figures. What is said of
    the data's licence stays.

    source: how to name the original
    raises: UserError when the original is no recipe
    """
    name = name_for(target)
    head, body = _split(_renamed(text, source, name))
    licence = _licence(head)
    command = f"# nlpt finetune --recipe {shlex.quote(str(target))}"
    lines = [f"# yaml-language-server: $schema={SCHEMA_FILE}", command, f"# Copied from {source}."]
    return "\n".join([*lines, *licence, body])


def name_for(target: Path) -> str:
    """Make a recipe's name of a file's."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", target.stem).lstrip("._-")[:100]
    return name or "recipe"


def _renamed(text: str, source: str, name: str) -> str:
    """Put another name in the place of the recipe's."""
    node = compose(text, source)
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    value = next((value for key, value in pairs if key.value == "name"), None)
    if not isinstance(value, yaml.ScalarNode):
        raise UserError(f"{source}: this recipe has no name. See `nlpt recipes validate {source}`.")
    return text[: value.start_mark.index] + name + text[value.end_mark.index :]


def _split(text: str) -> tuple[list[str], str]:
    """Part the comment at the top from the rest."""
    lines = text.split("\n")
    count = next((n for n, line in enumerate(lines) if line and not line.startswith("#")), 0)
    return lines[:count], "\n".join(lines[count:])


def _licence(head: list[str]) -> list[str]:
    """Return the lines on the licence of the data."""
    start = next((n for n, line in enumerate(head) if line.startswith(_LICENCE)), None)
    if start is None:
        return []
    more = (n for n in range(start + 1, len(head)) if not head[n].startswith("#  "))
    return head[start : next(more, len(head))]
