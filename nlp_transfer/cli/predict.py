"""`nlpt predict`: texts in, entities or classes out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from nlp_transfer.cli.console import DeviceOption, EngineOption, SchemeOption, start_logging
from nlp_transfer.errors import UserError

Arguments = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL... INPUT",
        help="MODEL: run folder, model folder or Hub id; several answer by their mean "
        "probabilities. INPUT: a file, a folder, or - for stdin (a text or JSON a line); or many "
        "files, 'texts/**/*.parquet' in quotes, each with an output of its own in the folder -o.",
    ),
]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help="File, or folder for brat; stdout by default. Of many files (and of a folder, where "
        "this is one or ends in /) a folder: a file each, whole or not there. The same command "
        "does what is missing or changed; what cannot be read is named at the end.",
    ),
]
OnOption = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="ray[://HOST:PORT]",
        help="Share many files out over a Ray cluster (RAY_ADDRESS, or this machine's own); all "
        "its machines need this package, and the files under the same paths.",
        show_default=False,
    ),
]
ToOption = Annotated[
    str,
    typer.Option(
        help="Output: jsonl, conll, spans, doccano, label-studio, brat or csv (of classes)."
    ),
]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        help="auto (by content, then extension), text, jsonl, csv, tsv, conll, parquet...",
    ),
]
ColumnsOption = Annotated[
    str,
    typer.Option(
        metavar="ROLE=COLUMN,...",
        help="What to read, if not the columns that the model learned from: "
        "text=premise,text_pair=hypothesis; text=0 where there is no header.",
    ),
]
ColumnOption = Annotated[
    str | None, typer.Option(help="Short for --columns text=COLUMN.", show_default=False)
]
HeaderOption = Annotated[
    bool, typer.Option(help="The first row of a CSV or TSV file names its columns.")
]
SeparatorOption = Annotated[
    str | None, typer.Option(help="Between the columns of CSV, TSV and CoNLL files.")
]
QuotedOption = Annotated[
    bool | None, typer.Option(help='"..." encloses fields; by default in CSV, not in TSV.')
]
EncodingOption = Annotated[str, typer.Option(help="Of text files: utf-8, latin-1...")]
EncodingErrorsOption = Annotated[
    Literal["strict", "replace"], typer.Option(help="replace: read broken bytes as U+FFFD.")
]
PrecisionOption = Annotated[str, typer.Option(help="auto, bf16, fp16 or fp32, of PyTorch.")]
AdapterOption = Annotated[
    list[Path] | None,
    typer.Option(
        help="Run or folder of an adapter of MODEL, which is its base. Several: each answers."
    ),
]
WordsOption = Annotated[
    str | None,
    typer.Option(
        help="How texts are split for NER: unicode, treebank, blanks (they are split already), "
        "characters, jieba, janome or pythainlp; by default as the model's data.words said."
    ),
]
MinPrecisionOption = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Keep only entities, or labels, that are sure enough: with scores of which this share "
        "was right on the validation split, such as 0.95.",
        show_default=False,
    ),
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Refuse a job that could not go on. With a file in and -o, the same command goes on "
        "after an interruption by itself.",
    ),
]
FreshOption = Annotated[
    bool,
    typer.Option("--fresh", help="Drop what an interrupted job has predicted, and start over."),
]
CoverageOption = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Give each text the set of labels that holds the right one for this share of texts "
        "like those of the validation split, such as 0.9.",
        show_default=False,
    ),
]


def _named(arguments: list[str]) -> tuple[list[str], str]:
    if len(arguments) == 1:
        raise UserError(f"Name a model and an input: nlpt predict MODEL {arguments[0]}")
    return arguments[:-1], arguments[-1]


def predict(
    arguments: Arguments,
    output: OutputOption = None,
    to: ToOption = "jsonl",
    input_format: FormatOption = "auto",
    columns: ColumnsOption = "",
    column: ColumnOption = None,
    header: HeaderOption = True,
    separator: SeparatorOption = None,
    quoted: QuotedOption = None,
    encoding: EncodingOption = "utf-8",
    encoding_errors: EncodingErrorsOption = "strict",
    precision: PrecisionOption = "auto",
    engine: EngineOption = "auto",
    device: DeviceOption = "auto",
    scheme: SchemeOption = None,
    adapter: AdapterOption = None,
    words: WordsOption = None,
    min_precision: MinPrecisionOption = None,
    coverage: CoverageOption = None,
    resume: ResumeOption = False,
    fresh: FreshOption = False,
    on: OnOption = None,
) -> None:
    """Predict every text of a file: one JSON object a line, in the input's order.

    Example: echo "Ada Lovelace wrote to Paris." | nlpt predict runs/quickstart-ner -
    """
    start_logging()
    models, source = _named(arguments)
    from nlp_transfer.data.input_options import input_section, parse_columns
    from nlp_transfer.flows.predict import predict as predict_all

    data = input_section(
        source,
        input_format,
        parse_columns(columns if column is None else f"text={column},{columns}"),
        header=header,
        separator=separator,
        quoted=quoted,
        encoding=encoding,
        encoding_errors=encoding_errors,
    )
    predict_all(
        *models,
        source=data,
        output=output,
        to=to,
        adapters=adapter or (),
        resume=resume,
        fresh=fresh,
        on=on,
        precision=precision,
        engine=engine,
        device=device,
        scheme=scheme,
        words=words,
        min_precision=min_precision,
        coverage=coverage,
    )
