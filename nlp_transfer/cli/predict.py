"""`nlpt predict`: texts in, entities or classes out."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from nlp_transfer.cli.console import start_logging


def predict(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Run folder, model folder or Hub id.")
    ],
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A file, or - for one text a line on stdin.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON Lines file; stdout by default.")
    ] = None,
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
    from nlp_transfer.inference.predictor import Predictor

    items = read_inputs(source, input_format=input_format, column=column)
    predictor = Predictor.from_run(model, precision=precision)
    results: Iterator[dict[str, Any]] = tqdm(
        predictor(items), unit="text", disable=not sys.stderr.isatty()
    )
    with _writing(output) as stream:
        for result in results:
            stream.write(json.dumps(result, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def _writing(output: Path | None) -> Iterator[TextIO]:
    """Write to stdout, or to a file that takes its name when it is complete."""
    if output is None:
        yield sys.stdout
        return
    temporary = output.with_name(f".{output.name}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            yield stream
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


command = predict
