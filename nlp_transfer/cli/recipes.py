"""`nlpt recipes`: what is shipped, and help with writing one."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from nlp_transfer.cli.console import JsonOption, Overrides, print_json, start_logging
from nlp_transfer.errors import UserError
from nlp_transfer.files import write_text

app = typer.Typer(help="List, show, copy and check recipes.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Recipe name or YAML file.")]


@app.command("list")
def list_recipes(as_json: JsonOption = False) -> None:
    """List the shipped recipes.

    Example: nlpt recipes list
    """
    from nlp_transfer.flows.recipes import load_recipe
    from nlp_transfer.recipe.shipped import shipped_recipes

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
    from nlp_transfer.report.terminal import print_table, stdout_console
    from nlp_transfer.shown import Table

    listed = tuple((r.name, r.task.name, r.description) for r in recipes)
    columns = ("recipe", "task", "description")
    print_table(Table("", columns, listed, figures=False), stdout_console())


@app.command()
def show(
    name: Name,
    resolved: Annotated[
        bool, typer.Option(help="Write out every key: defaults, and what auto chooses.")
    ] = False,
    overrides: Overrides = None,
) -> None:
    """Print a recipe.

    Example: nlpt recipes show conll2003-ner --resolved
    """
    from nlp_transfer.flows.recipes import load_recipe, resolve
    from nlp_transfer.recipe.reader import find_recipe
    from nlp_transfer.recipe.yaml_reader import yaml_text

    if not resolved and not overrides:
        typer.echo(yaml_text(find_recipe(name)), nl=False)
        return
    recipe = load_recipe(name, overrides or [])
    if resolved:
        start_logging()
        recipe = resolve(recipe)
    typer.echo(recipe.as_yaml(), nl=False)


@app.command()
def copy(
    name: Name,
    target: Annotated[
        Path | None, typer.Argument(help="File to write; ./NAME.yaml by default.")
    ] = None,
) -> None:
    """Copy a recipe to a file of yours, to change it; or a file that starts runs on clusters.

    Example: nlpt recipes copy quickstart-ner mine.yaml; nlpt recipes copy slurm/nodes.sh
    """
    from nlp_transfer.recipe.copying import SCHEMA_FILE, copied_text
    from nlp_transfer.recipe.reader import find_recipe
    from nlp_transfer.recipe.shipped import launch_files
    from nlp_transfer.recipe.yaml_reader import yaml_text

    if name in (launching := launch_files()):
        _copy_as_it_is(launching[name], target or Path(launching[name].name))
        return
    source = find_recipe(name)
    target = target or Path(source.name)
    if target.suffix.lower() not in (".yaml", ".yml"):
        raise UserError(f"{target}: a recipe's file ends in .yaml. Write {target}.yaml")
    text = copied_text(yaml_text(source), name, target)
    _write_new(target, text)
    _write_new(target.parent / SCHEMA_FILE, _schema_text(), replace=True)
    typer.echo(f"{target}: run it with `nlpt finetune --recipe {shlex.quote(str(target))}`")


def _copy_as_it_is(source: Path, target: Path) -> None:
    text = source.read_text("utf-8")
    _write_new(target, text)
    command = next(line for line in text.splitlines() if line.startswith("# "))
    typer.echo(f"{target}: {command.removeprefix('# ')}")


def _write_new(target: Path, text: str, *, replace: bool = False) -> None:
    if target.exists() and not replace:
        raise UserError(f"{target} is there already; name another file.")
    try:
        write_text(target, text)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}.") from None


@app.command()
def validate(name: Name, overrides: Overrides = None) -> None:
    """Check a recipe and list all its faults at once.

    Example: nlpt recipes validate mine.yaml
    """
    from nlp_transfer.flows.recipes import validate as check

    typer.echo(f"{check(name, overrides or []).name}: valid")


@app.command()
def schema() -> None:
    """Print the JSON schema of recipes, for editors.

    Example: nlpt recipes schema > recipe.schema.json
    """
    typer.echo(_schema_text(), nl=False)


@app.command()
def reference(
    migrating: Annotated[
        bool, typer.Option(help="What settings of run_ner.py and the like are called here.")
    ] = False,
    auto: Annotated[bool, typer.Option(help="What strategies: auto chooses, and why.")] = False,
) -> None:
    """Print every recipe key with its meaning, default and an example, as Markdown.

    Example: nlpt recipes reference > recipe.md
    """
    from nlp_transfer.recipe.json_schema import schema_of
    from nlp_transfer.recipe.reference import migrating_page, reference_page
    from nlp_transfer.strategies.any_recipe import AnyRecipe
    from nlp_transfer.strategies.auto_page import auto_page

    page = migrating_page if migrating else reference_page
    typer.echo(auto_page() if auto else page(schema_of(AnyRecipe)), nl=False)


def _schema_text() -> str:
    from nlp_transfer.recipe.json_schema import schema_of
    from nlp_transfer.strategies.any_recipe import AnyRecipe

    return json.dumps(schema_of(AnyRecipe).root, indent=2) + "\n"
