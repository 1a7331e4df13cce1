"""The sections of a recipe beside its task, data, strategies and training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from nlp_transfer.recipe.base import Section
from nlp_transfer.recipe.paths import Checkpoint

_LayerNumbers = tuple[Annotated[int, Field(ge=0, le=1000)], ...]


class ModelSection(Section):
    """The checkpoint, and how much of a text it reads at once."""

    checkpoint: Checkpoint = Field(
        description="Hub id, folder, run folder, or samples/minilm",
        examples=["google-bert/bert-base-cased", "runs/mine", "samples/minilm"],
    )
    revision: str | None = Field(
        None, description="branch, tag or commit of a Hub checkpoint", examples=["main"]
    )
    layers: Annotated[int, Field(ge=1, le=1000)] | _LayerNumbers | None = Field(
        None,
        description="keep so many, evenly spread, or those with these numbers; null: all",
        examples=[3, [0, 2, 5]],
    )
    pooling: Literal["auto", "first", "mean"] = Field(
        "auto",
        description="what a classifier reads: its first piece or the mean of all; auto: as the "
        "checkpoint was trained",
    )
    max_pieces: int = Field(
        256, ge=8, le=1_000_000, description="longest window, special pieces included"
    )
    overlap: int = Field(64, ge=0, le=1_000_000, description="words shared by neighbouring windows")
    dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="of the encoder while training; null: the checkpoint's own",
        examples=[0.2],
    )
    attention: Literal["auto", "eager", "flash_attention_2", "flash_attention_3"] = Field(
        "auto", description="auto: PyTorch's fused one on GPUs; flash needs a GPU and its library"
    )
    trust_remote_code: bool = Field(
        False, description="run code that lies beside the checkpoint's weights"
    )
    allow_random: bool = Field(
        False,
        description="let weights of the encoder that the checkpoint lacks start at random; false: "
        "an error that names them",
    )

    @field_validator("layers")
    @classmethod
    def _layers_rise(cls, layers: int | tuple[int, ...] | None) -> int | tuple[int, ...] | None:
        if isinstance(layers, tuple) and (not layers or sorted(set(layers)) != list(layers)):
            raise ValueError("layers are numbers in rising order, each once, from 0")
        return layers


_OneScored = Literal["validation", "test"]
_OneAlone = Annotated[_OneScored, Field(json_schema_extra={"form": "one alone"})]
_Scored = Annotated[tuple[_OneScored, ...], Field(min_length=1)]


def _split_names(value: object) -> object:
    """Read `validation,test` as a list."""
    return [name.strip() for name in value.split(",")] if isinstance(value, str) else value


class EvaluationSection(Section):
    """What is scored after training."""

    splits: Annotated[
        _Scored, BeforeValidator(_split_names, json_schema_input_type=_Scored | _OneAlone)
    ] = Field(
        ("validation", "test"), description="splits in the report; the last is the headline's"
    )
    bootstrap: int = Field(1000, ge=100, le=100_000, description="resamples of the 95 % interval")
    max_lost_entities: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of a split's gold entities; a run fails above it",
        examples=[0.01],
    )


class PublishSection(Section):
    """What the model card says of the model."""

    license: str | None = Field(
        None, description="licence of the model, as the Hub names it", examples=["apache-2.0"]
    )
    language: str | None = Field(
        None, description="language of the texts, by its code", examples=["en"]
    )
    examples: tuple[str, ...] = Field(
        (),
        max_length=20,
        description="texts that the model's page offers to try: none of the data, which may be "
        "private; none: the Hub's own",
        examples=[["Ada Lovelace wrote to Paris."]],
    )
    private: bool | None = Field(
        None,
        description="make a private repository; false: a public one; null: a private one, and one "
        "that is there stays as it is",
    )
