"""`nlpt recipes`: what is shipped, and help with writing one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from nlp_transfer.cli.console import JsonOption, Overrides, print_json
from nlp_transfer.errors import UserError

app = typer.Typer(help="List, show, copy and check recipes.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Recipe name or YAML file.")]


@app.command("list")
def list_recipes(as_json: JsonOption = False) -> None:
    """List the shipped recipes.

    Example: nlpt recipes list
    """
    from nlp_transfer.pipeline import load_recipe
    from nlp_transfer.recipe.reader import shipped_recipes

    recipes = [load_recipe(str(path)) for path in shipped_recipes().values()]
    if as_json:
        rows = [
            {
                "name": r.name,
                "task": r.task.name,
                "data": r.data.source,
                "description": r.description,
            }
            for r in recipes
        ]
        print_json({"recipes": rows})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("recipe", "task", "description"):
        table.add_column(column, no_wrap=column == "recipe")
    for recipe in recipes:
        table.add_row(recipe.name, recipe.task.name, recipe.description)
    Console().print(table)


@app.command()
def show(
    name: Name,
    resolved: Annotated[bool, typer.Option(help="Write out every default.")] = False,
    overrides: Overrides = None,
) -> None:
    """Print a recipe.

    Example: nlpt recipes show conll2003-ner --resolved
    """
    from nlp_transfer.pipeline import load_recipe
    from nlp_transfer.recipe.reader import find_recipe

    if resolved or overrides:
        typer.echo(load_recipe(name, overrides or []).as_yaml(), nl=False)
    else:
        typer.echo(find_recipe(name).read_text(encoding="utf-8"), nl=False)


@app.command()
def copy(
    name: Name,
    target: Annotated[
        Path | None, typer.Argument(help="File to write; ./NAME.yaml by default.")
    ] = None,
) -> None:
    """Copy a recipe to a file of yours, to change it.

    Example: nlpt recipes copy quickstart-ner mine.yaml
    """
    from nlp_transfer.recipe.reader import find_recipe

    source = find_recipe(name)
    target = target or Path(source.name)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(source.read_text(encoding="utf-8"))
    except FileExistsError:
        raise UserError(f"{target} is there already; name another file.") from None
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}.") from None
    typer.echo(f"{target}: run it with `nlpt finetune --recipe {target}`")


@app.command()
def validate(name: Name, overrides: Overrides = None) -> None:
    """Check a recipe and list all its faults at once.

    Example: nlpt recipes validate mine.yaml
    """
    from nlp_transfer.pipeline import load_recipe

    typer.echo(f"{load_recipe(name, overrides or []).name}: valid")


@app.command()
def schema() -> None:
    """Print the JSON schema of recipes, for editors.

    Example: nlpt recipes schema > recipe.schema.json
    """
    from nlp_transfer.pipeline import AnyRecipe

    typer.echo(json.dumps(AnyRecipe.model_json_schema(), indent=2))
