"""`nlpt rank`: which checkpoint to start from."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from nlp_transfer.cli.console import (
    DeviceOption,
    JsonOption,
    RecipeOption,
    print_json,
    start_logging,
)

_KEY = re.compile(r"[\w.]+=")
"""How KEY=VALUE begins; the name of a folder may have "=" in it as well."""


def rank(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="CHECKPOINT... [KEY=VALUE]...",
            help="Hub ids, model folders, run folders, samples/minilm. KEY=VALUE: recipe keys to "
            "change.",
        ),
    ],
    recipe: RecipeOption,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Say which checkpoint to start from, in seconds and without training.

    Example: nlpt rank --recipe quickstart-ner samples/minilm runs/quickstart-intents
    """
    start_logging()
    from nlp_transfer.flows.rank import rank_checkpoints
    from nlp_transfer.flows.recipes import load_recipe

    checkpoints = [argument for argument in arguments if not _KEY.match(argument)]
    overrides = [argument for argument in arguments if _KEY.match(argument)]
    loaded = load_recipe(recipe, overrides, trust_runs=False)
    found = rank_checkpoints(loaded, checkpoints, device=device)
    if as_json:
        for caution in found.cautions():
            typer.echo(caution, err=True)
        print_json(found.as_dict())
        return
    from nlp_transfer.report.ranking import print_ranking

    print_ranking(found)
