"""`nlpt inspect`: the data doctor, before money is spent."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlp_transfer.cli.console import JsonOption, print_json, start_logging
from nlp_transfer.errors import UserError
from nlp_transfer.files import write_text

if TYPE_CHECKING:
    from nlp_transfer.report.inspection import Inspection

Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE|KEY=VALUE",
        help="Files named after their splits, one folder or a Hub id; recipe keys to change: "
        "data.encoding=latin-1",
        show_default=False,
    ),
]


class _Severity(StrEnum):
    warning = "warning"
    error = "error"


def inspect(
    arguments: Arguments = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", "-r", help="Recipe name, YAML file or run folder, not FILEs."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="What the FILEs are for: a task's name.")] = None,
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
    if markdown and not (markdown.parent.is_dir() and not markdown.is_dir()):
        raise UserError(f"--markdown: {markdown} is a folder, or in a folder that does not exist.")
    found = _inspected(arguments or [], recipe, task)
    from nlp_transfer.report.inspection import markdown_page, print_inspection

    if markdown:
        write_text(markdown, markdown_page(found))
    if as_json:
        print_json(found.as_dict())
    else:
        print_inspection(found)
    if fail_on and (count := found.at_least(fail_on.value)):
        findings = "1 finding" if count == 1 else f"{count} findings"
        raise UserError(f"{findings} of severity {fail_on.value} or above; see above.")


def _inspected(arguments: list[str], recipe: str | None, task: str | None) -> Inspection:
    overrides = [argument for argument in arguments if _is_override(argument)]
    sources = [argument for argument in arguments if not _is_override(argument)]
    if bool(sources) == bool(recipe):
        raise UserError("Give files to inspect, or --recipe, not both. See `nlpt inspect --help`.")
    if recipe and task:
        raise UserError("--task goes with files; the recipe says what its data is for.")
    from nlp_transfer.flows import inspect as flow
    from nlp_transfer.flows.recipes import load_recipe
    from nlp_transfer.tasks import TASK_NAMES

    if recipe:
        return flow.inspect(load_recipe(recipe, overrides, trust_runs=False))
    if task not in TASK_NAMES:
        unknown = f"--task: {task!r} is unknown. " if task else ""
        named = ", or ".join(f"--task {name}" for name in TASK_NAMES)
        raise UserError(f"{unknown}Say what the data is for: {named}.")
    return flow.inspect_files(sources, task, overrides)


def _is_override(argument: str) -> bool:
    key, equals, _ = argument.partition("=")
    return bool(equals) and not {"/", "\\"} & set(key) and not _is_file(argument)


def _is_file(argument: str) -> bool:
    try:
        return Path(argument).exists()
    except OSError:  # too long for a file's name
        return False
