"""`nlpt evaluate`: the report of any model on any labelled data."""

from __future__ import annotations

from typing import Annotated

import typer

from nlp_transfer.cli.console import (
    JsonOption,
    Overrides,
    RecipeOption,
    show_report,
    start_logging,
)


def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Run folder, model folder or Hub id.")
    ],
    recipe: RecipeOption,
    overrides: Overrides = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    as_json: JsonOption = False,
) -> None:
    """Score a model on a split of a recipe's data.

    Example: nlpt evaluate runs/quickstart-ner --recipe quickstart-ner --split validation
    """
    start_logging()
    from nlp_transfer import pipeline

    report = pipeline.evaluate(model, pipeline.load_recipe(recipe, overrides or []), split=split)
    show_report(report, as_json=as_json)


command = evaluate
