"""What a study is to run: configurations of one recipe, each with several seeds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nlp_transfer.errors import UserError
from nlp_transfer.recipe.search_section import Settings
from nlp_transfer.recipe.yaml_reader import write_flow

SIZES = "data.train_examples"
MOST_RUNS = 10_000
"""That a study can have."""
_LONGEST_NAME = 60
_UNSAFE = re.compile(r"[^\w.=,+-]+", re.ASCII)


@dataclass(frozen=True)
class Row:
    """One configuration."""

    name: str
    """Also of its run folders, up to the seed."""
    settings: Settings
    """What it changes in the recipe."""

    def __post_init__(self) -> None:
        """Refuse a name that would lead out of the study's folder, as no study has written."""
        if _UNSAFE.search(self.name) or not self.name.strip("."):
            raise UserError(f"{self.name[:80]!r} in the study's folder is no name of a row.")


@dataclass(frozen=True)
class Run:
    """One training of a row."""

    row: Row
    seed: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.row.name}-seed{self.seed}"


@dataclass(frozen=True)
class Plan:
    """A grid of rows, or a number of trials that a search chooses."""

    seeds: tuple[int, ...]
    rows: tuple[Row, ...] = ()
    trials: int = 0
    """Of a search, the recipe as it is among them; 0: the rows are a grid; MOST_RUNS: no number
    was asked for, and there are as many as the time allows."""
    auto: Settings = field(default_factory=dict)
    """What the recipe of a search leaves to `auto`, as it is in all trials, by key."""

    @property
    def is_open_ended(self) -> bool:
        """Whether it is a search that time alone ends."""
        return self.trials >= MOST_RUNS

    @property
    def runs(self) -> Iterator[Run]:
        """All runs of a grid: every row with the first seed comes before the second seed."""
        return (Run(row, seed) for seed in self.seeds for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Write what plan.json holds."""
        rows = [{"name": row.name, "settings": dict(row.settings)} for row in self.rows]
        plan = {"schema": 1, "seeds": list(self.seeds), "rows": rows, "trials": self.trials}
        return {**plan, "auto": dict(self.auto)}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Plan:
        """Read what `as_dict` wrote.

        raises: KeyError, TypeError or ValueError where it is something else
        """
        rows = tuple(Row(str(row["name"]), dict(row["settings"])) for row in written["rows"])
        seeds = tuple(int(seed) for seed in written["seeds"])
        return cls(seeds, rows, int(written["trials"]), dict(written.get("auto", {})))


def named_rows(grid: Iterable[Settings], known: Sequence[Row]) -> tuple[Row, ...]:
    """Name rows by what they change, each otherwise than the others and than those known."""
    taken = {row.name.casefold() for row in known}
    rows = []
    for settings in grid:
        name = first = name_of(settings)
        number = 2
        while name.casefold() in taken:
            name, number = f"{first}-{number}", number + 1
        taken.add(name.casefold())
        rows.append(Row(name, settings))
    return tuple(rows)


def name_of(settings: Settings) -> str:
    """Say shortly what is changed, so that it can be a folder's name.

    >>> name_of({"training.learning_rate": 1e-05, "training.epochs": 3})
    'learning_rate=1.0e-05,epochs=3'
    """
    said = ["all" if (k, v) == (SIZES, None) else write_flow(v) for k, v in settings.items()]
    parts = [f"{key}={value}" for key, value in zip(short_keys(settings), said, strict=True)]
    return _UNSAFE.sub("-", ",".join(parts))[:_LONGEST_NAME].strip("-.,") or "recipe"


def short_keys(keys: Iterable[str]) -> list[str]:
    """Name keys by their last parts, where these differ."""
    last = {key: key.rpartition(".")[2] for key in keys}
    often = list(last.values()).count
    return [key if often(end) > 1 or end.isdecimal() else end for key, end in last.items()]
