"""`nlpt predict`: texts in, entities or classes out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlp_transfer.cli.console import DeviceOption, EngineOption, SchemeOption, start_logging
from nlp_transfer.errors import UserError
from nlp_transfer.processes import wait_for_all, world_size

if TYPE_CHECKING:
    from nlp_transfer.inference.adapters import Adapters
    from nlp_transfer.inference.ensemble import Ensemble


def predict(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... INPUT",
            help="MODEL: run folder, model folder or Hub id; several answer by their mean "
            "probabilities. INPUT: a file, or - for one text a line on stdin.",
        ),
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
    precision: Annotated[str, typer.Option(help="auto, bf16, fp16 or fp32, of PyTorch.")] = "auto",
    engine: EngineOption = "auto",
    device: DeviceOption = "auto",
    scheme: SchemeOption = None,
    adapter: Annotated[
        list[Path] | None,
        typer.Option(
            help="Run or folder of an adapter of MODEL, which is its base. Several: each answers."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what an interrupted job has predicted.")
    ] = False,
) -> None:
    """Predict every text of a file: one JSON object a line, in the input's order.

    Example: echo "Ada Lovelace wrote to Paris." | nlpt predict runs/quickstart-ner -
    """
    start_logging()
    *models, source = arguments
    if not models:
        raise UserError(f"Name a model and an input: nlpt predict MODEL {source}")
    from tqdm.auto import tqdm

    from nlp_transfer.data.inputs import read_inputs
    from nlp_transfer.data.writers import check_target, write_results
    from nlp_transfer.inference.adapters import Adapters
    from nlp_transfer.inference.ensemble import Ensemble
    from nlp_transfer.inference.parts import file_stamps, predict_to_file

    check_target(to, output)
    is_file = output is not None and (output.is_file() or not output.exists())
    if (resume or world_size() > 1) and (source == "-" or not is_file):
        raise UserError(
            "--resume, and several processes, need an input that can be read again (not -) and an "
            "--output that is a new or a regular file."
        )
    _check_model(models, adapter or [], engine=engine, precision=precision, to=to)
    if adapter and scheme:
        raise UserError("--scheme: adapters of nlpt have IOB2 tags. Leave out --scheme.")
    wait_for_all()
    items = read_inputs(source, input_format=input_format, column=column)
    predictor: Ensemble | Adapters
    if adapter:
        predictor = Adapters.load(models[0], adapter, precision=precision, device=device)
    else:
        predictor = Ensemble.from_runs(
            models, precision=precision, engine=engine, device=device, scheme=scheme
        )
    task = predictor.task.name

    def predicted(items: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        results = _predicted(predictor, items)
        return iter(tqdm(results, unit="text", disable=not sys.stderr.isatty()))

    if output is None or source == "-" or not is_file:
        write_results(predicted(items), to=to, output=output, task=task)
        return
    settings = {
        "precision": precision,
        "engine": engine,
        "format": input_format,
        "column": column,
        "scheme": scheme or "auto",
    }
    job = {"files": file_stamps(source, *predictor.folders), **settings}
    predict_to_file(predicted, items, to=to, output=output, task=task, job=job, resume=resume)


def _check_model(
    models: list[str], adapter: list[Path], *, engine: str, precision: str, to: str
) -> None:
    """Refuse options of the model that do not go together."""
    if adapter and len(models) > 1:
        raise UserError("--adapter: name one MODEL, the base of the adapters.")
    if adapter and len(adapter) > 1 and to != "jsonl":
        raise UserError(f"--to: answers of several adapters are written as jsonl, not {to}.")
    if engine == "onnx" and (adapter or precision != "auto"):
        raise UserError(
            "--engine onnx: an ONNX model has its own precision, and takes no adapter. Leave out "
            "--precision and --adapter."
        )


def _predicted(
    predictor: Ensemble | Adapters, items: Iterable[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Predict items, and hand on the id and document that they come with."""
    for_model, for_output = tee(items)
    for item, result in zip(for_output, predictor(for_model), strict=True):
        yield {**{key: item.get(key) for key in ("id", "document")}, **result}


command = predict
