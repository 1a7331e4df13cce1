"""`nlpt merge`: one model out of an adapter and its base, or out of several runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlp_transfer.cli.console import start_logging
from nlp_transfer.errors import UserError


def merge(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Run folders, model folders or Hub ids.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="New folder for the model.")],
    how: Annotated[
        str, typer.Option(help="uniform, or greedy: only runs that help on validation.")
    ] = "uniform",
    weights: Annotated[
        str | None, typer.Option(help="Share of each run instead: 0.7,0.3 (uniform only).")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", "-r", help="Whose validation split greedy uses.")
    ] = None,
) -> None:
    """Average the weights of runs, or put an adapter into its base; a whole model folder comes out.

    Example: nlpt merge runs/seed-1 runs/seed-2 runs/seed-3 -o models/soup
    """
    start_logging()
    from nlp_transfer.flows.merge import merge as merge_runs
    from nlp_transfer.flows.recipes import load_recipe

    try:
        shares = [float(share) for share in weights.split(",")] if weights else None
    except ValueError:
        raise UserError(f"--weights: {weights!r} are not numbers; write 0.7,0.3") from None
    loaded_recipe = load_recipe(recipe, trust_runs=False) if recipe else None
    typer.echo(merge_runs(runs, output, how=how, weights=shares, recipe=loaded_recipe))
