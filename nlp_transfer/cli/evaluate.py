"""`nlpt evaluate`: the report of any model on any labelled data."""

from __future__ import annotations

from typing import Annotated

import typer

from nlp_transfer.cli.console import (
    DeviceOption,
    EngineOption,
    JsonOption,
    RecipeOption,
    SchemeOption,
    show_report,
    start_logging,
)
from nlp_transfer.errors import UserError


def evaluate(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... [KEY=VALUE]...",
            help="Run folder, model folder or Hub id; several answer by their mean probabilities. "
            "KEY=VALUE: recipe keys to change.",
        ),
    ],
    recipe: RecipeOption,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    engine: EngineOption = "auto",
    device: DeviceOption = "auto",
    scheme: SchemeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a model on a split of a recipe's data.

    Example: nlpt evaluate runs/quickstart-ner --recipe quickstart-ner --split validation
    """
    start_logging()
    from nlp_transfer.flows.evaluate import evaluate as score
    from nlp_transfer.flows.recipes import load_recipe

    models = [argument for argument in arguments if "=" not in argument]
    overrides = [argument for argument in arguments if "=" in argument]
    if not models:
        raise UserError("Name a model: nlpt evaluate MODEL --recipe RECIPE")
    report = score(
        *models,
        recipe=load_recipe(recipe, overrides, trust_runs=False),
        split=split,
        engine=engine,
        device=device,
        scheme=scheme,
    )
    show_report(report, as_json=as_json)
