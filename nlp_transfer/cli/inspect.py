"""`nlpt inspect`: the data doctor, before money is spent."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from nlp_transfer.cli.console import JsonOption, print_json, start_logging
from nlp_transfer.errors import UserError
from nlp_transfer.files import write_text

if TYPE_CHECKING:
    from nlp_transfer.strategies.any_recipe import AnyRecipe


class _Task(str, Enum):
    ner = "ner"
    classification = "classification"


class _Severity(str, Enum):
    warning = "warning"
    error = "error"


def inspect(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|KEY=VALUE",
            help="Files named after their splits, one folder or a Hub id; recipe keys to change: "
            "data.encoding=latin-1",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", "-r", help="Recipe name, YAML file or run folder, not FILEs."),
    ] = None,
    task: Annotated[_Task | None, typer.Option(help="What the FILEs are for.")] = None,
    as_json: JsonOption = False,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a Markdown page too.")
    ] = None,
    fail_on: Annotated[
        _Severity | None, typer.Option(help="Exit with code 2 on such findings.")
    ] = None,
) -> None:
    """Check labelled data: duplicates, leaks, conflicts, rare labels, odd characters, lost words.

    Example: nlpt inspect train.conll test.conll --task ner --fail-on error
    """
    start_logging()
    overrides = [argument for argument in arguments or [] if _is_override(argument)]
    sources = [argument for argument in arguments or [] if not _is_override(argument)]
    if bool(sources) == bool(recipe):
        raise UserError("Give files to inspect, or --recipe, not both. See `nlpt inspect --help`.")
    if markdown and not (markdown.parent.is_dir() and not markdown.is_dir()):
        raise UserError(f"--markdown: {markdown} is a folder, or in a folder that does not exist.")
    from nlp_transfer.inspection import at_least, inspect_data

    if recipe:
        if task:
            raise UserError("--task goes with files; the recipe says what its data is for.")
        from nlp_transfer.flows.recipes import load_recipe

        result = inspect_data(load_recipe(recipe, overrides, trust_runs=False))
    else:
        chosen = any(override.startswith(("model.", "model=")) for override in overrides)
        given = _recipe_for(sources, task, overrides)
        result = inspect_data(given, tokenizer=chosen, planned=False)
    from nlp_transfer.report.inspection import markdown_page, print_inspection

    if markdown:
        write_text(markdown, markdown_page(result))
    if as_json:
        print_json(result)
    else:
        print_inspection(result)
    if fail_on and (count := at_least(result, fail_on.value)):
        findings = "1 finding" if count == 1 else f"{count} findings"
        raise UserError(f"{findings} of severity {fail_on.value} or above; see above.")


def _is_override(argument: str) -> bool:
    key, equals, _ = argument.partition("=")
    return bool(equals) and not {"/", "\\"} & set(key) and not _is_file(argument)


def _is_file(argument: str) -> bool:
    try:
        return Path(argument).exists()
    except OSError:  # too long for a file's name
        return False


def _recipe_for(sources: list[str], task: _Task | None, overrides: list[str]) -> AnyRecipe:
    """Read files through a recipe of their own, so that overrides and errors are as everywhere."""
    from nlp_transfer.flows.recipes import load_recipe
    from nlp_transfer.inspection import recipe_text

    if task is None:
        raise UserError("Say what the data is for: --task ner, or --task classification.")
    with TemporaryDirectory() as folder:
        path = Path(folder, "inspection.yaml")
        path.write_text(recipe_text(sources, task.value), encoding="utf-8")
        return load_recipe(str(path), overrides)


command = inspect
