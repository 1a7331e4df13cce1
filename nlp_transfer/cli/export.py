"""`nlpt export`: a model for onnxruntime, checked against the one it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlp_transfer.cli.console import JsonOption, SchemeOption, print_json, start_logging

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="Run folder, model folder or Hub id.")
]
FormatOption = Annotated[str, typer.Option(help="onnx.")]
QuantizeOption = Annotated[
    str | None, typer.Option(help="int8: a quarter of the size, and faster.")
]
OpsetOption = Annotated[
    int, typer.Option(help="Version of ONNX: 18 to 23. 23 needs onnxruntime 1.23.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="New folder; by default RUN/onnx.")
]
CheckedOnOption = Annotated[
    str | None,
    typer.Option("--recipe", "-r", help="Whose test split it is checked on; RUN's by default."),
]
MinAgreementOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Share of words or texts to be predicted as before; by default 0.999, int8 0.99.",
    ),
]
MaxF1DropOption = Annotated[
    float, typer.Option(min=0, max=1, help="By how much F1 may fall, a fraction.")
]


def export(
    run: RunArgument,
    format: FormatOption = "onnx",
    quantize: QuantizeOption = None,
    opset: OpsetOption = 18,
    output: OutputOption = None,
    recipe: CheckedOnOption = None,
    min_agreement: MinAgreementOption = None,
    max_f1_drop: MaxF1DropOption = 0.003,
    scheme: SchemeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a model for onnxruntime; it is kept only if it predicts the test split as before.

    Example: nlpt export runs/quickstart-ner --format onnx --quantize int8
    """
    start_logging()
    from nlp_transfer.flows.export import export as export_model
    from nlp_transfer.flows.recipes import load_recipe
    from nlp_transfer.report.export import export_table
    from nlp_transfer.report.terminal import print_table, stdout_console

    folder, record = export_model(
        run,
        recipe=load_recipe(recipe, trust_runs=False) if recipe else None,
        format=format,
        quantize=quantize,
        opset=opset,
        output=output,
        min_agreement=min_agreement,
        max_f1_drop=max_f1_drop,
        scheme=scheme,
    )
    if as_json:
        print_json({"folder": str(folder), **record.as_dict()})
    else:
        print_table(export_table(record), stdout_console())
        typer.echo(folder)
