"""`nlpt prepare`: the tokenized data of a recipe, built once."""

from __future__ import annotations

from typing import Annotated

import typer

from nlp_transfer.cli.console import JsonOption, Overrides, RecipeOption, print_json, start_logging


def prepare(
    recipe: RecipeOption,
    overrides: Overrides = None,
    num_proc: Annotated[int, typer.Option(min=1, help="Processes that tokenize.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Build and keep the tokenized data of a recipe; finetune uses it.

    Example: nlpt prepare --recipe quickstart-ner
    """
    start_logging()
    from nlp_transfer.flows.prepare import prepare as tokenize
    from nlp_transfer.flows.recipes import load_recipe

    sizes = tokenize(load_recipe(recipe, overrides or []), processes=num_proc)
    if as_json:
        print_json(sizes.as_dict())
        return
    from nlp_transfer.report.dry_run import print_sizes

    print_sizes(sizes)
