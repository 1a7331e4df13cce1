"""`nlpt predict`: texts in, entities or classes out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlp_transfer.cli.console import start_logging

if TYPE_CHECKING:
    from nlp_transfer.inference.predictor import Predictor


def predict(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Run folder, model folder or Hub id.")
    ],
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A file, or - for one text a line on stdin.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File, or folder for brat; stdout by default."),
    ] = None,
    to: Annotated[
        str,
        typer.Option(
            help="Output: jsonl, conll, spans, doccano, label-studio, brat or csv (of classes)."
        ),
    ] = "jsonl",
    input_format: Annotated[
        str, typer.Option("--format", help="auto, text, jsonl, csv, tsv or conll.")
    ] = "auto",
    column: Annotated[str, typer.Option(help="Column of a CSV or TSV file.")] = "text",
    precision: Annotated[str, typer.Option(help="auto, bf16, fp16 or fp32.")] = "auto",
) -> None:
    """Predict every text of a file: one JSON object a line, in the input's order.

    Example: echo "Ada Lovelace wrote to Paris." | nlpt predict runs/quickstart-ner -
    """
    start_logging()
    from tqdm.auto import tqdm

    from nlp_transfer.data.inputs import read_inputs
    from nlp_transfer.data.writers import check_target, write_results
    from nlp_transfer.inference.predictor import Predictor

    check_target(to, output)
    items = read_inputs(source, input_format=input_format, column=column)
    predictor = Predictor.from_run(model, precision=precision)
    results = tqdm(_predicted(predictor, items), unit="text", disable=not sys.stderr.isatty())
    write_results(results, to=to, output=output, task=predictor.task.name)


def _predicted(predictor: Predictor, items: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Predict items, and hand on the id and document that they come with."""
    for_model, for_output = tee(items)
    for item, result in zip(for_output, predictor(for_model), strict=True):
        yield {**{key: item.get(key) for key in ("id", "document")}, **result}


command = predict
