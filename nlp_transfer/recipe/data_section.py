"""The `data` section: where the labelled examples come from, and how to read them."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationInfo, field_validator

from nlp_transfer.recipe.base import Names, Pairs, Section, pairs
from nlp_transfer.recipe.paths import File, Source, Surroundings, exists, is_folder, is_hub_id
from nlp_transfer.records import SplitName

log = logging.getLogger(__name__)

Column = Literal[
    "tokens", "tags", "text", "spans", "text_pair", "label", "document", "id", "sentence"
]
WordRule = Literal[
    "unicode", "treebank", "blanks", "characters", "jieba", "janome", "pythainlp"
]  # fmt: skip
_Splits = dict[SplitName, Annotated[str, Field(min_length=1, max_length=1000)] | None]
_ColumnName = Annotated[str, Field(strict=True, min_length=1)]
_Columns = dict[Column, _ColumnName | Annotated[int, Field(ge=-100_000, le=100_000)]]


class DataSection(Section):
    """Where the labelled examples come from, and how to read them.

    The names of the formats are checked where the formats are.
    """

    source: Source = Field(
        description="Hub id, file, folder, module:function, or `samples/<name>`; a path is looked "
        "for in the working folder, then beside the recipe",
        examples=["mydata", "lhoestq/conll2003", "train.csv", "samples/newsroom"],
    )
    config: str | None = Field(
        None, description="configuration of a Hub data set", examples=["supervised"]
    )
    revision: str | None = Field(
        None,
        description="branch, tag or commit of a Hub data set",
        examples=["refs/convert/parquet"],
    )
    streaming: bool = Field(False, description="read a Hub data set without a copy of it on disk")
    format: str = Field("auto", description="auto: told from the inside of the file")
    splits: Annotated[_Splits, BeforeValidator(pairs, json_schema_input_type=_Splits | Pairs)] = (
        Field(
            default_factory=dict,
            description="our split: theirs, or a file name; a+b joins; null: split it off from "
            "train",
            examples=[{"train": "train.csv", "test": "test.csv"}],
        )
    )
    columns: Annotated[
        _Columns, BeforeValidator(pairs, json_schema_input_type=_Columns | Pairs)
    ] = Field(
        default_factory=dict,
        description="column names, or numbers where there are none, from 0 or back from -1",
        examples=[{"text": "body", "label": "topic"}, {"tokens": 1, "tags": 2}],
    )
    scheme: Literal["auto", "iob1", "iob2", "bioes", "bilou", "io", "none"] = Field(
        "auto",
        description="how tags are written; io: bare types are entities; none: the tags are no "
        "entities",
    )
    repair: bool = Field(
        False, description="read broken BIOES and BILOU tags leniently, as broken IOB tags always"
    )
    fold_case: bool = Field(False, description="read the prefixes b- i- and the tag o as B- I- O")
    entity_type: str | None = Field(
        None,
        min_length=1,
        description="of tags without one (B, I, O); null: the one of task.types, else ENTITY",
        examples=["PRODUCT"],
    )
    separator: str | None = Field(
        None,
        min_length=1,
        max_length=10,
        description="column separator; null: of CoNLL files the tab, else blanks; of tables , or "
        "the tab",
        examples=[";"],
    )
    header: bool = Field(True, description="the first row of a CSV or TSV file names its columns")
    quoted: bool | None = Field(
        None, description='whether "..." encloses fields; null: in CSV files yes, in TSV files no'
    )
    encoding: str = Field(
        "utf-8",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$",
        json_schema_extra={"form": "the name of an encoding, such as utf-8 or cp1252"},
        description="encoding of text files, by its name in Python",
        examples=["latin-1"],
    )
    encoding_errors: Literal["strict", "replace"] = Field(
        "strict", description="replace: read bytes that are not in the encoding as U+FFFD"
    )
    offsets: Literal["characters", "utf16", "utf8"] = Field(
        "characters", description="what the offsets of character spans count"
    )
    misaligned: Literal["refuse", "expand", "drop"] = Field(
        "refuse", description="spans that begin or end inside a word; expand: take the whole word"
    )
    overlapping: Literal["refuse", "longest"] = Field(
        "refuse", description="spans that share characters; longest: keep the longest of them"
    )
    words: WordRule = Field(
        "unicode",
        description="how raw text is split; blanks: it is split already; treebank: do n't; "
        "jieba, janome, pythainlp: segmenters for Chinese, Japanese, Thai",
    )
    drop_missing: bool = Field(
        False, description="leave out (and count) rows without a text or a label"
    )
    label_names: Names | None = Field(
        None,
        description="names of integer tags or labels, in the order of their numbers",
        examples=[["O", "B-PER", "I-PER"]],
    )
    label_separator: str = Field(
        "|",
        min_length=1,
        max_length=10,
        description="between the labels of a multi-label CSV field",
    )
    slices: Names = Field(
        (),
        description="columns whose values a report is sorted by, beside the slices that it always "
        "has; they are kept with the rows, no model reads them",
        examples=[["domain"]],
    )
    unlabelled: File | None = Field(
        None,
        description="file of unlabelled texts of the same kind, as `nlpt predict` reads: for "
        "strategies and `nlpt pretrain`, where they name no texts of their own",
        examples=["texts.txt"],
    )
    validation_share: float = Field(
        0.1, gt=0, lt=1, description="of train, where there is no validation split"
    )
    test_share: float = Field(0.1, gt=0, lt=1, description="of train, where there is no test split")
    split_seed: int = Field(
        42, ge=0, lt=2**32, description="draws the examples that are split off from train"
    )
    train_examples: int | None = Field(
        None,
        ge=1,
        le=10**9,
        description="learn from so many examples of train, drawn at random after other splits are "
        "split off: the same for every seed, and fewer are some of more; null: all",
        examples=[400],
    )

    _lapsing: frozenset[str] = PrivateAttr(frozenset())

    @property
    def lapsing(self) -> frozenset[str]:
        """Keys that were said for other data than this source: where they do not fit, they lapse.

        Columns and splits are among them one by one, as columns.tokens.
        """
        return self._lapsing

    def where_lapses(self, keys: Iterable[str]) -> Self:
        """Return the section with keys that lapse where they do not fit.

        What is the Hub's has lapsed in it, and so have texts that are like the other data.
        """
        lapsing = frozenset(keys)
        others = [] if is_hub_id(self.source) else ["config", "revision", "streaming"]
        lapsed = [key for key in self.said() if key in (*others, "unlabelled") and key in lapsing]
        say_lapsed(lapsed, f"not used for {self.source}")
        fields = type(self).model_fields
        section = self.model_copy(update={key: fields[key].default for key in lapsed})
        section._lapsing = lapsing
        return section

    def said(self) -> list[str]:
        """List the keys that are not at their defaults, but data.format=spans, which all obey."""
        fields = type(self).model_fields.items()
        return [
            key
            for key, field in fields
            if getattr(self, key) != field.get_default(call_default_factory=True)
            and (key, getattr(self, key)) != ("format", "spans")
        ]

    @field_validator("separator", "label_separator", mode="before")
    @classmethod
    def _tab_written_out(cls, separator: object) -> object:
        """Read a tab by its escape or its name: a shell hands \\t on as two characters."""
        return "\t" if separator in ("\\t", "tab") else separator

    @field_validator("encoding")
    @classmethod
    def _encoding_is_known(cls, encoding: str) -> str:
        try:
            codecs.lookup(encoding)
            "".encode(encoding)  # rot13 is a codec, and no encoding of text
        except (LookupError, ValueError):
            raise ValueError(
                f"{encoding!r} is no text encoding that Python knows, such as utf-8 or cp1252"
            ) from None
        return encoding

    @field_validator("splits")
    @classmethod
    def _files_located(cls, splits: _Splits, info: ValidationInfo) -> _Splits:
        """Make absolute what is a file of the working folder and none beside the source."""
        surroundings, source = info.context, info.data.get("source")
        if not isinstance(surroundings, Surroundings) or source is None:
            return splits
        beside = Path(source) if is_folder(Path(source)) else Path(source).parent
        return {
            split: name and "+".join(_file(part, beside, surroundings) for part in name.split("+"))
            for split, name in splits.items()
        }


def say_lapsed(keys: Sequence[str], why: str) -> None:
    """Say in a line which keys lapse."""
    if keys:
        named = ", ".join(f"data.{key}" for key in keys)
        log.info("%s: of the recipe's own data, and %s", named, why)


def _file(name: str, beside: Path, surroundings: Surroundings) -> str:
    if exists(beside / name.strip()) or not Path(name).suffix:
        return name
    found = surroundings.find(name.strip())
    return str(found) if found else name
