"""What a source says, before any task looks at it: its rows, and the splits that they come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class RawRow(NamedTuple):
    """The columns of one row, and its place for people: "file:line"."""

    where: str
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class RawSplit:
    """The rows of one split of a source, not yet read."""

    name: str
    read: Callable[[], Iterator[RawRow]]
    label_names: tuple[str, ...] | None = None
    """Names of integer labels or tags, where the source declares them."""
    place: str
    """Where the split lies, for people."""
    kind: str
    """What that is, for people: "jsonl", "data set of the Hub"."""
    keys: frozenset[str]
    """Keys of the data section that it uses, of those that not every source does."""
