"""`nlpt predict`: texts in, entities or classes out."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nlp_transfer.cli.console import DeviceOption, EngineOption, SchemeOption, start_logging
from nlp_transfer.errors import UserError, nearest
from nlp_transfer.processes import wait_for_all, world_size

if TYPE_CHECKING:
    from nlp_transfer.data.items import Columns, Item
    from nlp_transfer.inference.adapters import Adapters
    from nlp_transfer.inference.ensemble import Ensemble
    from nlp_transfer.recipe import DataSection

log = logging.getLogger(__name__)

_MANY = 10
"""Texts among which a model that fits them finds something."""


def predict(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... INPUT",
            help="MODEL: run folder, model folder or Hub id; several answer by their mean "
            "probabilities. INPUT: a file, a folder, or - for stdin (a text or JSON a line).",
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
        str,
        typer.Option(
            "--format",
            help="auto (by content, then extension), text, jsonl, csv, tsv, conll, parquet...",
        ),
    ] = "auto",
    columns: Annotated[
        str,
        typer.Option(
            metavar="ROLE=COLUMN,...",
            help="What to read, if not the columns that the model learned from: "
            "text=premise,text_pair=hypothesis; text=0 where there is no header.",
        ),
    ] = "",
    column: Annotated[
        str | None, typer.Option(help="Short for --columns text=COLUMN.", show_default=False)
    ] = None,
    header: Annotated[
        bool, typer.Option(help="The first row of a CSV or TSV file names its columns.")
    ] = True,
    separator: Annotated[
        str | None, typer.Option(help="Between the columns of CSV, TSV and CoNLL files.")
    ] = None,
    quoted: Annotated[
        bool | None, typer.Option(help='"..." encloses fields; by default in CSV, not in TSV.')
    ] = None,
    encoding: Annotated[str, typer.Option(help="Of text files: utf-8, latin-1...")] = "utf-8",
    encoding_errors: Annotated[
        Literal["strict", "replace"], typer.Option(help="replace: read broken bytes as U+FFFD.")
    ] = "strict",
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
    words: Annotated[
        str | None,
        typer.Option(
            help="How texts are split for NER: unicode, treebank, blanks (they are split already), "
            "characters, jieba, janome or pythainlp; by default as the model's data.words said."
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

    from nlp_transfer.data.inputs import check_inputs, parse_columns, read_inputs, with_options
    from nlp_transfer.data.items import ItemReader
    from nlp_transfer.data.segmenters import checked_rule
    from nlp_transfer.data.writers import check_target, write_results
    from nlp_transfer.inference.adapters import Adapters
    from nlp_transfer.inference.ensemble import Ensemble
    from nlp_transfer.inference.parts import file_stamps, predict_to_file

    check_target(to, output)
    if output is not None and output.exists() and source != "-" and output.samefile(source):
        raise UserError(f"--output: {output} is the input. Name another file.")
    rule = None if words is None else checked_rule(words, "--words")
    is_file = output is not None and (output.is_file() or not output.exists())
    if (resume or world_size() > 1) and (source == "-" or not is_file):
        raise UserError(
            "--resume, and several processes, need an input that can be read again (not -) and an "
            "--output that is a new or a regular file."
        )
    _check_model(models, adapter or [], engine=engine, precision=precision, to=to)
    if adapter and scheme:
        raise UserError("--scheme: adapters of nlpt have IOB2 tags. Leave out --scheme.")
    named = parse_columns(columns if column is None else f"text={column},{columns}".rstrip(","))
    data = _input_section(
        source,
        input_format,
        named,
        header=header,
        separator=separator,
        quoted=quoted,
        encoding=encoding,
        encoding_errors=encoding_errors,
    )
    with with_options():
        check_inputs(data)
    wait_for_all()
    predictor: Ensemble | Adapters
    if adapter:
        predictor = Adapters.load(
            models[0], adapter, precision=precision, device=device, words=rule
        )
    else:
        predictor = Ensemble.from_runs(
            models, precision=precision, engine=engine, device=device, scheme=scheme, words=rule
        )
    task = predictor.task.name
    reader = ItemReader(predictor.columns, named)

    def items() -> Iterator[Item]:
        with with_options():
            yield from reader.items(read_inputs(data, predictor.columns))

    def predicted(items: Iterable[Item]) -> Iterator[dict[str, Any]]:
        results = predictor(items)
        return _remarked(tqdm(results, unit="text", disable=not sys.stderr.isatty()))

    if output is None or source == "-" or not is_file:
        write_results(predicted(items()), to=to, output=output, task=task)
        return
    settings = {
        "precision": precision,
        "engine": engine,
        "scheme": scheme or "auto",
        "input": data.model_dump(mode="json"),
        "words": words,
    }
    job = {"files": file_stamps(source, *predictor.folders), **settings}
    predict_to_file(predicted, items(), to=to, output=output, task=task, job=job, resume=resume)


def _remarked(results: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Hand results on; say at the end where entities were looked for and none was found."""
    texts = found = 0
    for result in results:
        texts += 1
        found += bool(result.get("entities", True))
        yield result
    if texts >= _MANY and not found:
        log.warning("no entity was found in %d texts: is this the model for them?", texts)


def _input_section(
    source: str, input_format: str, columns: Columns, **options: str | bool | None
) -> DataSection:
    """Say how an input is read as a recipe would; what a recipe would refuse is refused."""
    from typing import get_args

    from pydantic import ValidationError

    from nlp_transfer.recipe import DataSection, Format

    known: tuple[str, ...] = get_args(Format)
    if input_format not in known:
        raise UserError(
            f"--format: {input_format!r} is unknown ({', '.join(known)})."
            f"{nearest(input_format, known)}"
        )
    try:
        return DataSection.model_validate(
            {"source": source, "format": input_format, "columns": columns, **options}
        )
    except ValidationError as error:
        fault = error.errors()[0]
        key = str(fault["loc"][0])
        meaning = DataSection.model_fields[key].description
        raise UserError(
            f"--{key.replace('_', '-')}: {fault['input']!r} does not fit. It is: {meaning}."
        ) from None


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


command = predict
