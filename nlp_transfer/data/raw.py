"""One row of a source, as the source says it, before any task looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class RawRow(NamedTuple):
    """The columns of one row, and its place for people: "file:line"."""

    where: str
    values: Mapping[str, Any]
