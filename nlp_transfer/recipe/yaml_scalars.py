"""What text without quotes may mean in YAML 1.2: the types of its core schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class ScalarType(NamedTuple):
    """A type that text without quotes may have."""

    what: str
    pattern: re.Pattern[str]
    read: Callable[[str], object]
    first: str
    """Characters that such text begins with; \N{NULL} stands for none."""


def _int(text: str) -> int:
    """Read 007 as 7 and 0o17 as 15; PyYAML's own constructor would read 017 as octal."""
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _float(text: str) -> float:
    return float(re.sub(r"\.(?=[ni])", "", text.lower()))  # .inf is Python's inf


SCALARS = {
    "null": ScalarType("null", re.compile("~|null|Null|NULL|"), lambda _: None, "~nN\0"),
    "bool": ScalarType(
        "true or false",
        re.compile("true|True|TRUE|false|False|FALSE"),
        lambda text: text.lower() == "true",
        "tTfF",
    ),
    "int": ScalarType(
        "a whole number",
        re.compile("[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
        _int,
        "-+0123456789",
    ),
    "float": ScalarType(
        "a number",
        re.compile(
            r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)"
            r"|\.(nan|NaN|NAN)"
        ),
        _float,
        "-+.0123456789",
    ),
}
