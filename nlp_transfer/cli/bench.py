"""`nlpt bench`: which engine computes a model fastest on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlp_transfer.cli.console import DeviceOption, start_logging
from nlp_transfer.errors import UserError

RunArgument = Annotated[
    list[str], typer.Argument(metavar="RUN", help="Run folder, model folder or Hub id.")
]
TextsOption = Annotated[
    Path | None,
    typer.Option(help="A file of texts to predict, instead of the test split.", show_default=False),
]
PredictedOption = Annotated[
    str | None,
    typer.Option("--recipe", "-r", help="Whose test split is predicted; RUN's by default."),
]
EnginesOption = Annotated[
    str,
    typer.Option(
        metavar="NAME,...",
        help="torch-fp32, torch-bf16, compiled, onnx-fp32, onnx-int8; all by default. torch-fp32 "
        "is always measured.",
        show_default=False,
    ),
]
BatchOption = Annotated[
    str, typer.Option(metavar="PIECES,...", help="Pieces computed at a time, padding included.")
]
RoundsOption = Annotated[int, typer.Option(min=1, help="Rounds in which each engine has a turn.")]
ExamplesOption = Annotated[
    int, typer.Option(min=1, help="The most that are predicted to see how alike engines answer.")
]
TimedOption = Annotated[int, typer.Option(min=1, help="Examples of a turn.")]
ClockOption = Annotated[
    str,
    typer.Option(help="wall, or processor: seconds of all cores, where other work runs beside."),
]
FileOption = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write every figure there.", show_default=False),
]


def _numbers(given: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in given.split(","))
    except ValueError:
        raise UserError(f"--batch: {given!r} is no list of numbers, such as 512,1024.") from None


def _only(runs: list[str]) -> str:
    if len(runs) > 1:
        raise UserError(
            "RUN: engines are measured of one model. Measure each by itself; several that answer "
            "as one are always computed by PyTorch."
        )
    return runs[0]


def bench(
    runs: RunArgument,
    texts: TextsOption = None,
    recipe: PredictedOption = None,
    engines: EnginesOption = "",
    batch: BatchOption = "512,1024,2048",
    rounds: RoundsOption = 5,
    examples: ExamplesOption = 2000,
    timed: TimedOption = 256,
    clock: ClockOption = "wall",
    device: DeviceOption = "auto",
    to: FileOption = None,
) -> None:
    """Measure which engine predicts fastest on this machine; --engine auto then uses it.

    Example: nlpt bench runs/quickstart-ner
    """
    start_logging()
    from nlp_transfer.files import write_json
    from nlp_transfer.flows.bench import bench as measure
    from nlp_transfer.flows.recipes import load_recipe
    from nlp_transfer.report.bench import bench_table, remarks
    from nlp_transfer.report.terminal import print_table, stdout_console

    outcome = measure(
        _only(runs),
        recipe=load_recipe(recipe, trust_runs=False) if recipe else None,
        texts=texts,
        engines=engines,
        batches=_numbers(batch),
        rounds=rounds,
        examples=examples,
        timed=timed,
        clock=clock,
        device=device,
    )
    if to is not None:
        write_json(to, outcome.as_dict())
    print_table(bench_table(outcome), stdout_console())
    typer.echo("\n".join(remarks(outcome)))
