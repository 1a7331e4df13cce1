"""What every command needs of the terminal: quiet libraries, a log on stderr, JSON or tables."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlp_transfer.logs import show_lines

if TYPE_CHECKING:
    from nlp_transfer.report.report import Report

RecipeOption = Annotated[
    str, typer.Option("--recipe", "-r", help="Recipe name, YAML file or run folder.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Recipe keys to change: training.epochs=1"),
]
EngineOption = Annotated[
    str,
    typer.Option(
        help="auto, torch, compiled (for this machine, once, in a minute), or onnx: what nlpt "
        "export wrote of MODEL. predict and serve: auto is what nlpt bench found, else torch."
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps...")]
SchemeOption = Annotated[
    str | None,
    typer.Option(
        help="Tags of a NER model that was trained elsewhere: iob1, iob2, bioes, bilou or io; told "
        "from its labels by default."
    ),
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Delete the run in the folder first.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def start_logging() -> None:
    """Log one event a line to stderr, on the main process only, and quiet the libraries."""
    show_lines()
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(torch|peft|seqeval)")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|peft)")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def show_report(report: Report, *, as_json: bool) -> None:
    """Print a report on stdout, on the main process only."""
    from nlp_transfer.processes import is_main_process

    if not is_main_process():
        return
    if as_json:
        print_json(report.metrics)
        return
    from nlp_transfer.report.terminal import print_report, stdout_console

    print_report(report, stdout_console())
