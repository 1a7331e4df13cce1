"""A recipe and its sections, typed and frozen."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nlp_transfer.recipe.yaml_reader import write_yaml
from nlp_transfer.records import SplitName
from nlp_transfer.secrets import without_secrets


class Section(BaseModel):
    """Base of every recipe section: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


Format = Literal[
    "auto", "conll", "jsonl", "json", "spans", "csv", "tsv", "parquet", "arrow", "brat",
    "label-studio", "spacy", "fasttext", "text",
]  # fmt: skip
Column = Literal[
    "tokens", "tags", "text", "spans", "text_pair", "label", "document", "id", "sentence"
]


class DataSection(Section):
    """Where the labelled examples come from, and how to read them."""

    source: str = Field(
        description="Hub id, file, folder, module:function, or samples/<name>", min_length=1
    )
    config: str | None = Field(None, description="configuration of a Hub data set")
    revision: str | None = Field(None, description="branch, tag or commit of a Hub data set")
    streaming: bool = Field(False, description="read a Hub data set without a copy of it on disk")
    format: Format = "auto"
    splits: dict[SplitName, str | None] = Field(
        default_factory=dict,
        description="our split: theirs, or a file name; a+b joins; null: split it off from train",
    )
    columns: dict[Column, str | int] = Field(
        default_factory=dict, description="column names, or numbers from 0 where there are no names"
    )
    scheme: Literal["auto", "iob1", "iob2", "bioes", "bilou", "io", "none"] = Field(
        "auto", description="io: bare types are entities; none: the tags are no entities"
    )
    repair: bool = Field(
        False, description="read broken BIOES and BILOU tags leniently, as broken IOB tags always"
    )
    fold_case: bool = Field(False, description="read the prefixes b- i- and the tag o as B- I- O")
    entity_type: str | None = Field(
        None,
        min_length=1,
        description="of tags without one (B, I, O); null: the one of task.types, else ENTITY",
    )
    separator: str | None = Field(
        None,
        min_length=1,
        description="column separator of CoNLL files; null: the tab, else blanks",
    )
    header: bool = Field(True, description="the first row of a CSV or TSV file names its columns")
    quoted: bool | None = Field(
        None, description='whether "..." encloses fields; null: in CSV files yes, in TSV files no'
    )
    encoding: str = "utf-8"
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
    drop_missing: bool = Field(
        False, description="leave out (and count) rows without a text or a label"
    )
    label_names: tuple[str, ...] | None = Field(
        None, description="names of integer tags or labels, in the order of their numbers"
    )
    label_separator: str = Field(
        "|", min_length=1, description="between the labels of a multi-label CSV field"
    )
    validation_share: float = Field(0.1, gt=0, lt=1)
    test_share: float = Field(0.1, gt=0, lt=1)
    split_seed: int = 42


class ModelSection(Section):
    """The checkpoint, and how much of a text it reads at once."""

    checkpoint: str = Field(
        description="Hub id, folder, run folder, or samples/minilm", min_length=1
    )
    revision: str | None = None
    layers: Annotated[int, Field(ge=1)] | tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        None, description="keep so many, evenly spread, or those with these numbers; null: all"
    )
    max_pieces: int = Field(256, ge=8, description="longest window, special pieces included")
    overlap: int = Field(64, ge=0, description="words shared by neighbouring windows")
    dropout: float | None = Field(
        None, ge=0, lt=1, description="of the encoder while training; null: the checkpoint's own"
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


Schedule = Literal[
    "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup",
    "inverse_sqrt", "reduce_lr_on_plateau", "cosine_with_min_lr", "cosine_warmup_with_min_lr",
    "warmup_stable_decay", "exponential", "step",
]  # fmt: skip


class TrainingSection(Section):
    """How the weights are learned."""

    epochs: float = Field(3, gt=0)
    learning_rate: float = Field(5e-5, gt=0)
    head_learning_rate: float | None = Field(
        None, gt=0, description="of the parameters that start at random; null: learning_rate"
    )
    tokens_per_batch: int = Field(
        2048, ge=1, description="pieces of the whole step, padding included, over all processes"
    )
    tokens_at_once: int | None = Field(
        None,
        ge=1,
        description="pieces that a process computes at a time, where memory does not hold its "
        "share of a step; null: all of it",
    )
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps")
    weight_decay: float = Field(0.01, ge=0)
    optimizer: Literal["adamw", "adamw_8bit", "adam", "sgd", "adagrad", "rmsprop"] = Field(
        "adamw", description="adamw_8bit keeps its state in a quarter of the memory (bitsandbytes)"
    )
    momentum: float = Field(0, ge=0, lt=1, description="of sgd and rmsprop")
    schedule: Schedule = Field("linear", description="how the learning rate goes on after warmup")
    schedule_arguments: dict[str, Any] = Field(
        default_factory=dict,
        description="exponential: decay; step: decay, every (epochs); else those of transformers",
    )
    class_weights: Literal["balanced"] | dict[str, float] | None = Field(
        None, description="how much each class counts in the loss; balanced: inverse to frequency"
    )
    focal_gamma: float = Field(0, ge=0, description="above 0: focal loss, sure items count less")
    sampling: Literal["all", "balanced"] = Field(
        "all", description="balanced: draw windows of rare classes more often, with replacement"
    )
    early_stopping: int | None = Field(
        None, ge=1, description="stop after so many evaluations without a better score"
    )
    seed: int = Field(42, ge=0, lt=2**32)
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="anything else of transformers.TrainingArguments"
    )


class PretrainingSection(Section):
    """How `nlpt pretrain` goes on with masked-language modelling; `training` says the rest."""

    texts: str | None = Field(
        None, description="file of texts of the domain; null: the texts of the training split"
    )
    mask: float = Field(0.15, gt=0, lt=1, description="share of the words to be guessed")
    whole_words: bool = Field(True, description="false: pieces are masked one by one")
    epochs: float = Field(3, gt=0)
    learning_rate: float = Field(1e-4, gt=0)
    tokens_per_batch: int = Field(2048, ge=1)
    held_out: float = Field(0.1, gt=0, lt=1, description="share of the texts to measure on")


class EvaluationSection(Section):
    """What is scored after training."""

    splits: tuple[Literal["validation", "test"], ...] = ("validation", "test")
    bootstrap: int = Field(1000, ge=100, description="resamples of the 95 % interval")
    max_lost_entities: float | None = Field(
        None, ge=0, le=1, description="share of a split's gold entities; a run fails above it"
    )


class PublishSection(Section):
    """What the model card says of the model."""

    license: str | None = None
    language: str | None = None
    private: bool = False


TaskT = TypeVar("TaskT", bound=Section)
StrategyT = TypeVar("StrategyT", bound=Section)


class Recipe(Section, Generic[TaskT, StrategyT]):
    """Everything a run depends on; `TaskT` and `StrategyT` are the unions of their rooms."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    task: TaskT
    data: DataSection
    model: ModelSection
    strategies: list[StrategyT] = Field(min_length=1)
    training: TrainingSection = TrainingSection()
    evaluation: EvaluationSection = EvaluationSection()
    pretraining: PretrainingSection = PretrainingSection()
    publish: PublishSection = PublishSection()

    @model_validator(mode="after")
    def _strategies_fit(self) -> Recipe[TaskT, StrategyT]:
        """Refuse strategies that do not go together, or not with the task; name both."""
        strategies: list[Any] = list(self.strategies)
        names = [strategy.name for strategy in strategies]
        task: str = self.task.name  # type: ignore[attr-defined]
        exclusive: dict[str, str] = {}
        for strategy in strategies:
            name = strategy.name
            if task not in strategy.tasks:
                raise ValueError(
                    f"strategy '{name}' does not work with task '{task}', only with "
                    f"{' and '.join(strategy.tasks)}"
                )
            if names.count(name) > 1:
                raise ValueError(f"strategy '{name}' stands there {names.count(name)} times")
            for other in names:
                if other in strategy.excludes:
                    raise ValueError(f"strategies '{other}' and '{name}' do not work together")
            for decision in strategy.exclusive_hooks():
                if decision in exclusive:
                    raise ValueError(
                        f"strategies '{exclusive[decision]}' and '{name}' both decide {decision}; "
                        "keep one"
                    )
                exclusive[decision] = name
        return self

    def as_yaml(self) -> str:
        """Write the recipe out with every default and no secrets, as the run folder keeps it."""
        return write_yaml(without_secrets(self.model_dump(mode="json")))
