"""`nlpt pretrain`: masked-language modelling on texts of the domain, before fine-tuning."""

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
    start_logging,
)
from nlp_transfer.cli.launching import ProcessesOption, run_in_processes
from nlp_transfer.processes import is_main_process


def pretrain(
    recipe: RecipeOption,
    overrides: Overrides = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Run folder; runs/<recipe>-pretrained by default."),
    ] = None,
    fresh: FreshOption = False,
    processes: ProcessesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a checkpoint read texts of the domain. Run again, it resumes.

    Example: nlpt pretrain --recipe quickstart-ner pretraining.epochs=1
    """
    run_in_processes(processes)
    start_logging()
    from nlp_transfer.flows.pretrain import pretrain as run
    from nlp_transfer.flows.recipes import load_recipe

    loaded = load_recipe(recipe, overrides or [], trust_runs=False)
    folder, metrics = run(loaded, output=output, fresh=fresh)
    if not is_main_process():
        return
    if as_json:
        print_json(metrics)
        return
    for moment, figures in metrics["held_out"].items():
        typer.echo(
            f"{moment}: masked accuracy {figures['accuracy']:.4f}, loss {figures['loss']:.3f} "
            "on held-out texts"
        )
    typer.echo(f"fine-tune from it: nlpt finetune --recipe {recipe} model.checkpoint={folder}")
