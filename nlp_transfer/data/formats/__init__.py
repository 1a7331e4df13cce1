"""What labelled files look like. A format is one file here, and one line of `FORMATS`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from nlp_transfer.data.formats.arrow import ARROW, PARQUET
from nlp_transfer.data.formats.base import Format, Look
from nlp_transfer.data.formats.brat import BRAT
from nlp_transfer.data.formats.class_folders import CLASS_FOLDERS
from nlp_transfer.data.formats.conll import CONLL
from nlp_transfer.data.formats.delimited import CSV, TSV
from nlp_transfer.data.formats.doccano import DOCCANO
from nlp_transfer.data.formats.fasttext import FASTTEXT
from nlp_transfer.data.formats.jsonl import JSON, JSONL
from nlp_transfer.data.formats.label_studio import LABEL_STUDIO
from nlp_transfer.data.formats.spacy_docs import SPACY
from nlp_transfer.data.formats.spans import SPANS
from nlp_transfer.data.formats.text import TEXT
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.recipe import DataSection

# Of several that recognise a file the last one reads it: the more particular stand further down.
FORMATS: list[Format] = [
    JSONL,
    JSON,
    CONLL,
    SPANS,
    DOCCANO,
    LABEL_STUDIO,
    BRAT,
    CSV,
    TSV,
    PARQUET,
    ARROW,
    SPACY,
    FASTTEXT,
    CLASS_FOLDERS,
    TEXT,
]


# As `Any...` of tasks and strategies: what a recipe can name is known here, above the recipe.
if TYPE_CHECKING:
    _Name = str
else:
    _Name = Literal[("auto", *(known.name for known in FORMATS if known.read))]


class AnyData(DataSection):
    """Where the labelled examples come from, in any format, and how to read them."""

    format: _Name = Field("auto", description=DataSection.model_fields["format"].description)


def format_of(file: DataFile, data: DataSection, *, annotated: bool = True) -> Format:
    """Look inside a file or folder, then at its extension, for its format; the recipe's goes first.

    annotated: labels are looked for; else what is nothing but lines is a text a line
    raises:    UserError that names what a file of no such format is
    """
    promised = promised_format(file.path)
    look = Look(file, data, promised.name if promised else "", annotated)
    if look.head is not None and data.format != "auto":  # what is not read at all is refused
        return next(known for known in FORMATS if known.name == data.format)
    recognised = (known for known in reversed(FORMATS) if known.recognises(look))
    return next(recognised, promised or (CONLL if annotated else TEXT))


def promised_format(path: Path) -> Format | None:
    """Name the format that a file's extension promises, .gz aside."""
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return next((known for known in FORMATS if name.suffix.lower() in known.extensions), None)
