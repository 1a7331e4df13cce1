"""`nlpt study`: many runs of one recipe as one thing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlp_transfer.cli.console import (
    JsonOption,
    Overrides,
    RecipeOption,
    print_json,
    start_logging,
)
from nlp_transfer.errors import UserError

if TYPE_CHECKING:
    from nlp_transfer.studies.findings import StudyResult
_AS_MANY_AS_FIT = "minutes"
"""What stands for the number of trials that --search leaves out."""

OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="Study folder; studies/<recipe> by default.")
]
SeedsOption = Annotated[
    int | None, typer.Option(help="Runs of each row, with the recipe's seed and those after it.")
]
VaryOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=A,B",
        help="A row for each value of a recipe key; repeated, for all combinations.",
    ),
]
SizesOption = Annotated[
    str | None,
    typer.Option(
        metavar="N,N", help="A row for each number of training examples; all: the whole split."
    ),
]
SearchOption = Annotated[
    str | None,
    typer.Option(
        metavar="[N]",
        help="Trials that Optuna chooses, the recipe among them; without a number as many as "
        "--minutes allow.",
    ),
]
MinutesOption = Annotated[
    float | None,
    typer.Option(help="Begin no run after so many minutes; a search ends by then."),
]
TestOption = Annotated[
    bool, typer.Option("--test", help="Score all rows on the test split, not only the best.")
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Delete the study in the folder first.")]
RetryOption = Annotated[bool, typer.Option("--retry", help="Do failed runs again.")]


def study(
    recipe: RecipeOption,
    overrides: Overrides = None,
    output: OutputOption = None,
    seeds: SeedsOption = None,
    vary: VaryOption = None,
    train_sizes: SizesOption = None,
    search: SearchOption = None,
    minutes: MinutesOption = None,
    test: TestOption = False,
    fresh: FreshOption = False,
    retry: RetryOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a recipe many times, and say which configuration is best. Run again, it goes on.

    Example: nlpt study --recipe quickstart-ner --seeds 3 --vary training.learning_rate=1e-4,2e-4
    """
    start_logging()
    from nlp_transfer.flows.recipes import load_recipe
    from nlp_transfer.flows.study import study as run
    from nlp_transfer.studies.asked import read_sizes, read_varied

    found = run(
        load_recipe(recipe, overrides or []),
        output=output,
        seeds=seeds,
        vary=read_varied(vary or []),
        train_sizes=read_sizes(train_sizes),
        search=_read_search(search),
        minutes=minutes,
        test=test,
        fresh=fresh,
        retry=retry,
    )
    _show(found, as_json=as_json)


def with_search(arguments: Sequence[str]) -> list[str]:
    """Write out what `--search` without a number means, which typer knows no way to leave out."""
    found: list[str] = []
    for argument, after in zip_longest(arguments, arguments[1:], fillvalue=""):
        found.append(argument)
        if argument == "--search" and not re.match("[+-]?[0-9]", after):
            found.append(_AS_MANY_AS_FIT)
    return found


def _read_search(argument: str | None) -> int | bool | None:
    """Read the N of --search, where it is given; _AS_MANY_AS_FIT: as many as the time allows.

    raises: UserError for what is no whole number
    """
    if argument is None or argument == _AS_MANY_AS_FIT:
        return True if argument else None
    if not re.fullmatch("[+-]?[0-9]{1,9}", argument):
        raise UserError(
            f"--search: {argument[:40]!r} is no whole number. Example: --search 20; without a "
            "number: --search --minutes 30"
        )
    return int(argument)


def _show(found: StudyResult, *, as_json: bool) -> None:
    """Print what was found; then fail where a run has failed.

    raises: UserError that says which
    """
    if as_json:
        print_json(found.as_dict())
    else:
        from nlp_transfer.studies.page import print_study

        print_study(found)
    if found.failed:
        raise UserError("\n".join(f"{row.name} has {row.state}" for row in found.failed))
