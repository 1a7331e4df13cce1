"""What a user asks of a study, in words and numbers, in; its plan out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from pydantic import JsonValue

from nlp_transfer.errors import UserError
from nlp_transfer.recipe.overrides import read_choices
from nlp_transfer.recipe.reader import check_paths, variants
from nlp_transfer.recipe.search_section import Settings
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.studies.plan import MOST_RUNS, SIZES, Plan, named_rows

_OWN = {
    "name": "it names the study",
    "description": "it changes nothing that is learned",
    "publish": "it changes nothing that is learned",
    "pretraining": "it is `nlpt pretrain` that reads it",
    "search": "--search reads it",
    "training.seed": "--seeds N takes seeds from the recipe's upwards",
    "evaluation": "all rows are scored alike: on validation, the chosen one on test",
}
"""Keys that no study can vary, and why."""


@dataclass(frozen=True)
class Asked:
    """What a user asks of a study; what is None or empty is left as the study has it."""

    seeds: int | None = None
    vary: Mapping[str, Sequence[JsonValue]] | None = None
    train_sizes: Sequence[int | None] = ()
    """None: all examples."""
    search: int | bool | None = None
    """How many trials; True: as many as the time allows."""

    @property
    def trials(self) -> int:
        """How many trials a search is to have; 0: no search is asked for."""
        return MOST_RUNS if self.search is True else int(self.search or 0)

    def check(self) -> None:
        """Refuse what does not go together, or is no number of runs.

        raises: UserError
        """
        search = None if isinstance(self.search, bool) else self.search
        for option, number in (("--seeds", self.seeds), ("--search", search)):
            if number is not None and not 1 <= number <= MOST_RUNS:
                raise UserError(f"{option}: {number} must be from 1 to {MOST_RUNS:,}.")
        if self.trials and (self.vary or self.train_sizes):
            raise UserError(
                "--search chooses its own configurations; --vary and --train-sizes are a grid. "
                "Leave one of them out. What a search tries is said in the recipe's search section."
            )
        if bad := [size for size in self.train_sizes if size is not None and size < 1]:
            raise UserError(f"--train-sizes: {bad[0]} must be 1 or more.")
        if len(set(self.train_sizes)) < len(self.train_sizes):
            raise UserError("--train-sizes: a size stands there twice.")
        if self.train_sizes and SIZES in (self.vary or {}):
            raise UserError(f"--vary: {SIZES} is what --train-sizes varies. Leave one out.")

    def plan(self, recipe: AnyRecipe, known: Plan | None) -> Plan:
        """Return what is to be run: of a new study, or of a known one with what is added to it.

        raises: UserError for a grid in a search or the reverse, and what the recipe refuses
        """
        seeds = tuple(range(recipe.training.seed, recipe.training.seed + (self.seeds or 1)))
        grid = self._grid()
        if known is None:
            plan = Plan(seeds, () if self.trials else named_rows(grid, ()), self.trials)
        else:
            _check_kind(self, known, seeds)
            again = [dict(row.settings) for row in known.rows]
            added = (
                [one for one in grid if one not in again] if self.vary or self.train_sizes else []
            )
            more = seeds if self.seeds else ()
            plan = Plan(
                tuple(dict.fromkeys([*known.seeds, *more])),
                (*known.rows, *named_rows(added, known.rows)),
                max(self.trials, known.trials),
                known.auto,
            )
        if len(plan.rows) * len(plan.seeds) > MOST_RUNS:
            count = len(plan.rows) * len(plan.seeds)
            raise UserError(f"The study would have {count:,} runs, more than {MOST_RUNS:,}.")
        if self.trials:
            _check_keys(recipe.search)
        for varied in variants(recipe, [row.settings for row in plan.rows]):
            check_paths(varied)
        return plan

    def _grid(self) -> list[Settings]:
        """List every combination; the keys of one value each stay as the recipe has them."""
        varied = dict(self.vary or {})
        _check_keys(varied)
        if self.train_sizes:
            rising = sorted(size for size in self.train_sizes if size is not None)
            varied[SIZES] = (*rising, *([None] if None in self.train_sizes else []))
        return [dict(zip(varied, values, strict=True)) for values in product(*varied.values())]


def read_varied(arguments: Iterable[str]) -> dict[str, tuple[JsonValue, ...]]:
    """Read the KEY=A,B of --vary.

    raises: UserError for another form, or a key that stands there twice
    """
    varied: dict[str, tuple[JsonValue, ...]] = {}
    for argument in arguments:
        key, values = read_choices(argument)
        if key in varied:
            raise UserError(f"--vary: {key} stands there twice; write all its values in one.")
        varied[key] = values
    return varied


def read_sizes(argument: str | None) -> list[int | None]:
    """Read the N,N of --train-sizes, where it is given; "all" may be among them.

    raises: UserError for what is no whole number
    """
    parts = [part.strip() for part in argument.split(",")] if argument is not None else []
    if wrong := [part for part in parts if not re.fullmatch("[0-9]{1,9}|all", part)]:
        raise UserError(
            f"--train-sizes: {wrong[0][:40]!r} is neither a whole number nor all. "
            "Example: --train-sizes 50,100,200,all"
        )
    return [None if part == "all" else int(part) for part in parts]


def _check_kind(asked: Asked, known: Plan, seeds: tuple[int, ...]) -> None:
    """Refuse to turn a grid into a search, or to give a search other seeds."""
    there, now = ("search", "grid") if known.trials else ("grid", "search")
    as_grid = bool(asked.vary or asked.train_sizes)
    if (asked.trials and not known.trials) or (as_grid and known.trials):
        problem = f"holds a {there}, not a {now}"
    elif known.trials and asked.seeds and seeds != known.seeds:
        problem = f"holds a search with {len(known.seeds)} seeds a trial, not {len(seeds)}"
    else:
        return
    raise UserError(
        f"The study in the folder {problem}. Choose another folder with --output DIR, or start "
        "over with --fresh."
    )


def _check_keys(varied: Iterable[str]) -> None:
    """Refuse keys that a study decides itself, all at once."""
    faults = [
        f"  {key}: a study does not vary it: {why}."
        for key in varied
        for own, why in _OWN.items()
        if key == own or key.startswith(f"{own}.") or own == f"{key}.seed"
    ]
    if faults:
        raise UserError("\n".join(["What is to be tried:", *faults]))
