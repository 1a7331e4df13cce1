"""YAML as its readers mean it: text in, plain values and the line of every key out, and back.

PyYAML follows YAML 1.1, where `no` is false, `5e-5` is text and `12:30` is a number. Recipes are
read by the YAML 1.2 core schema instead. A file may come from a stranger: size, depth and what
aliases multiply are bounded, and no tag but the core schema's is known.
"""

from __future__ import annotations

import codecs
import math
import re
from pathlib import Path
from typing import Any

import yaml

from nlp_transfer.errors import UserError
from nlp_transfer.recipe.yaml_faults import odd_character, refusal
from nlp_transfer.recipe.yaml_scalars import SCALARS

KeyPath = tuple[str | int, ...]

_MOST_BYTES = 1_000_000
_MOST_VALUES = 20_000
"""Of a document, what an alias repeats counted as often as it stands there."""
_MOST_CHARACTERS = 2_000_000
"""Of all values together, counted alike."""
_DEEPEST = 40
_LONGEST_NUMBER = 100
_CORE = "tag:yaml.org,2002:"


class _Fault(yaml.MarkedYAMLError):
    """What is wrong, and where."""

    def __init__(self, node: yaml.Node, problem: str) -> None:
        super().__init__(problem=problem, problem_mark=node.start_mark)


class _Composer(yaml.SafeLoader):
    """Turns text into nodes with the implicit types of the core schema, within bounds."""

    depth = 0
    count = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node, or stop before a hostile text takes time or stack."""
        self.depth += 1
        self.count += 1
        if self.depth > _DEEPEST or self.count > _MOST_VALUES:
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem=_too_much(self.depth), problem_mark=mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


_Composer.yaml_implicit_resolvers = {}
for _name, _type in SCALARS.items():
    _Composer.add_implicit_resolver(
        f"{_CORE}{_name}",
        re.compile(f"^(?:{_type.pattern.pattern})$"),
        ["" if character == "\0" else character for character in _type.first],
    )


class _Builder:
    """Builds plain values from nodes; an alias becomes a copy, and counts as one."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._values = _MOST_VALUES
        self._characters = _MOST_CHARACTERS

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        """Return the value at a path, and note its line."""
        self._values -= 1
        if self._values < 0 or self._characters < 0 or len(path) > _DEEPEST:
            raise _Fault(node, _too_much(len(path)))
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            _check_tag(node, "map")
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            _check_tag(node, "seq")
            return [self.build(item, (*path, number)) for number, item in enumerate(node.value)]
        self._characters -= len(node.value)
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        """Build a mapping; its keys are text, whatever they look like: a label may be 1 or true."""
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _Fault(key_node, "a key must be plain text")
            _check_tag(key_node, "str", *SCALARS)
            key = _text(key_node)
            if key == "<<":
                raise _Fault(key_node, "keys are not merged (<<); write them out")
            if key in built:
                raise _Fault(key_node, f"key {key[:60]!r} stands twice")
            self._characters -= len(key)
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            built[key] = self.build(value_node, (*path, key))
        return built


def _too_much(depth: int) -> str:
    if depth > _DEEPEST:
        return f"more than {_DEEPEST} levels; an alias (*) may hold itself"
    return f"more than {_MOST_VALUES:,} values, aliases (*) written out: too many for a recipe"


def _check_tag(node: yaml.Node, *known: str) -> str:
    """Return the name of a node's type, one of `known`."""
    name = node.tag.removeprefix(_CORE)
    if name not in known or not node.tag.startswith(_CORE):
        shown = f"!!{name}" if node.tag.startswith(_CORE) else node.tag
        raise _Fault(node, f"the tag {shown[:60]} has no meaning here; leave it out")
    return name


def _scalar(node: yaml.Node) -> Any:
    name = _check_tag(node, "str", *SCALARS)
    if name == "str":
        return _text(node)
    kind, text = SCALARS[name], str(node.value)
    if not kind.pattern.fullmatch(text):
        raise _Fault(node, f"{text[:60]!r} is not {kind.what}, as !!{name} says")
    if len(text) > _LONGEST_NUMBER:
        raise _Fault(node, f"a number of {len(text)} characters; put it in quotes if it is text")
    value = kind.read(text)
    if value in (math.inf, -math.inf) and "inf" not in text.lower():
        raise _Fault(node, f"{text} is beyond the largest number")
    return value


def _text(node: yaml.Node) -> str:
    """Return the text of a node; JSON writes characters beyond U+FFFF as two escapes."""
    text = str(node.value)
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise _Fault(node, "half of a pair of escapes (\\uD800 to \\uDFFF) alone") from None


def read_yaml(text: str, where: str) -> tuple[Any, dict[KeyPath, int]]:
    """Parse one YAML document.

    where:   how to name the text in an error message (a path, or "data.source=...")
    returns: the value, and the line (from 1) of every key and list item by its path
    raises:  UserError with line and column when the text is not YAML, or out of all bounds
    """
    builder = _Builder()
    node = compose(text, where)
    if node is None:
        return None, {}
    try:
        return builder.build(node, ()), builder.lines
    except _Fault as error:
        raise refusal(error, where) from None


def compose(text: str, where: str) -> yaml.Node | None:
    """Parse one YAML document into its nodes, which know where they stand in the text.

    raises: as `read_yaml`
    """
    if len(text) > _MOST_BYTES:
        raise UserError(f"{where}: {len(text):,} characters are too many; {_SIZE_HINT}")
    composer = None
    try:
        composer = _Composer(text)  # refuses control characters
        return composer.get_single_node()
    except yaml.reader.ReaderError as error:
        raise odd_character(error, text, where) from None
    except yaml.YAMLError as error:
        raise refusal(error, where) from None
    except (ValueError, OverflowError):  # \U0011FFFF
        line = composer.line + 1 if composer else 1
        raise UserError(
            f"{where}:{line}: this is not valid YAML: an escape (\\U...) names no character."
        ) from None
    finally:
        if composer is not None:
            composer.dispose()


_SIZE_HINT = f"a recipe has at most {_MOST_BYTES:,}. Is this a file of data?"


def yaml_text(path: Path) -> str:
    """Read the text of a YAML file: UTF-8, or UTF-16 where it begins with its mark.

    raises: UserError for a file that is too large, or in another encoding
    """
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise UserError(f"{path}: {size:,} bytes are too many; {_SIZE_HINT}")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: this file cannot be read: {error.strerror}.") from None
    # Windows PowerShell 5 writes `nlpt recipes show NAME > mine.yaml` in UTF-16.
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        name = "UTF-16" if marked else "UTF-8"
        raise UserError(
            f"{path}: byte {error.start} is not {name}; save the file as UTF-8."
        ) from None
    return text.replace("\r\n", "\n")


def write_yaml(value: object) -> str:
    """Write plain values so that YAML 1.1 and 1.2 readers alike get them back as they were."""
    return yaml.dump(value, Dumper=_CarefulDumper, sort_keys=False, allow_unicode=True)


def write_flow(value: object) -> str:
    """Write plain values in one line, as an override has them."""
    text = yaml.dump(
        value,
        Dumper=_CarefulDumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=True,
        width=10**6,
    )
    return text.removesuffix("...\n").strip()


class _CarefulDumper(yaml.SafeDumper):
    """SafeDumper that quotes a text which either version of YAML would read as something else."""


# SafeDumper itself leaves the text 1e3 bare, which the core schema reads as a number.
_CarefulDumper.yaml_implicit_resolvers = {
    first: [
        *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
        *_Composer.yaml_implicit_resolvers.get(first, []),
    ]
    for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *_Composer.yaml_implicit_resolvers}
}
