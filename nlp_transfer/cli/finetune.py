"""`nlpt finetune`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlp_transfer.cli.console import (
    FreshOption,
    JsonOption,
    Overrides,
    RecipeOption,
    print_json,
    show_report,
    start_logging,
)
from nlp_transfer.cli.launching import ProcessesOption, run_in_processes
from nlp_transfer.errors import UserError


def finetune(
    recipe: RecipeOption,
    overrides: Overrides = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder; runs/<recipe> by default.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check all, try a few steps, print what a run takes."),
    ] = False,
    gpus: Annotated[
        str | None,
        typer.Option(
            "--gpus", metavar="N", help="With --dry-run: what N GPUs would take, by a model."
        ),
    ] = None,
    fresh: FreshOption = False,
    push_to_hub: Annotated[
        str | None, typer.Option("--push-to-hub", metavar="REPO", help="Publish the model.")
    ] = None,
    processes: ProcessesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune a checkpoint as a recipe says. Run again, it resumes.

    Example: nlpt finetune --recipe quickstart-ner training.epochs=1
    """
    if dry_run and (processes or 1) > 1:
        raise UserError("--processes: a --dry-run is of one; --gpus N says what N GPUs would take.")
    if not dry_run:
        run_in_processes(processes)
    start_logging()
    from nlp_transfer.flows.finetune import finetune as run
    from nlp_transfer.flows.recipes import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    if gpus is not None and not dry_run:
        raise UserError("--gpus: it says what a --dry-run reckons with; add --dry-run.")
    if dry_run:
        from nlp_transfer.flows.dry_run import dry_run as try_run

        found = try_run(loaded, output=output, gpus=gpus)
        if as_json:
            print_json(found.as_dict())
        else:
            from nlp_transfer.report.dry_run import print_estimate

            print_estimate(found)
        return
    report = run(loaded, output=output, fresh=fresh, push_to_hub=push_to_hub)
    show_report(report, as_json=as_json)
