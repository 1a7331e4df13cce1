"""The sections of a recipe that say how a model learns, and how it reads on before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from nlp_transfer.recipe.base import Fault, Section, raise_together
from nlp_transfer.recipe.paths import File
from nlp_transfer.recipe.schedules import schedule_faults
from nlp_transfer.recipe.trainer_arguments import argument_faults

Schedule = Literal[
    "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup",
    "inverse_sqrt", "reduce_lr_on_plateau", "cosine_with_min_lr", "cosine_warmup_with_min_lr",
    "warmup_stable_decay", "exponential", "step",
]  # fmt: skip


_WITH_ARGUMENTS = (
    "cosine_with_min_lr", "cosine_warmup_with_min_lr", "warmup_stable_decay",
)  # fmt: skip
"""Schedules that do not do without arguments."""
WITH_MOMENTUM = ("sgd", "rmsprop")
_LearningRate = Annotated[float, Field(gt=0, le=1e38)]  # what float32 holds
_Tokens = Annotated[int, Field(ge=1, le=10**9)]


class TrainingSection(Section):
    """How the weights are learned."""

    epochs: float = Field(3, gt=0, le=10_000, description="times that every example is learned")
    learning_rate: _LearningRate = Field(5e-5, description="the highest, after warmup")
    head_learning_rate: _LearningRate | None = Field(
        None,
        description="of the parameters that start at random; null: learning_rate",
        examples=[1e-3],
    )
    tokens_per_batch: _Tokens = Field(
        2048, description="pieces of the whole step, padding included, over all processes"
    )
    tokens_at_once: _Tokens | None = Field(
        None,
        description="pieces that a process computes at a time, where memory does not hold its "
        "share of a step; null: all of it",
        examples=[512],
    )
    padding: bool = Field(
        True,
        description="false: where the model's family can, its layers learn from the windows of a "
        "batch as one row, without padding",
    )
    warmup: float = Field(
        0.1, ge=0, lt=1, description="share of the steps in which the learning rate rises"
    )
    weight_decay: float = Field(
        0.01, ge=0, le=100, description="of weights, not of biases and norms"
    )
    optimizer: Literal["adamw", "adamw_8bit", "adam", "sgd", "adagrad", "rmsprop"] = Field(
        "adamw", description="adamw_8bit keeps its state in a quarter of the memory (bitsandbytes)"
    )
    momentum: float = Field(0, ge=0, lt=1, description="of sgd and rmsprop", examples=[0.9])
    schedule: Schedule = Field("linear", description="how the learning rate goes on after warmup")
    schedule_arguments: dict[str, Any] = Field(
        default_factory=dict,
        description="exponential: decay; step: decay, every (epochs); else those of transformers",
        examples=[{"decay": 0.9}],
    )
    class_weights: Literal["balanced"] | dict[str, Annotated[float, Field(ge=0, le=1e6)]] | None = (
        Field(
            None,
            description="how much each class counts in the loss; balanced: inverse to frequency",
            examples=["balanced", {"PER": 2, "O": 0.5}],
        )
    )
    focal_gamma: float = Field(
        0, ge=0, le=100, description="above 0: focal loss, sure items count less", examples=[2]
    )
    sampling: Literal["all", "balanced"] = Field(
        "all", description="balanced: draw windows of rare classes more often, with replacement"
    )
    early_stopping: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="stop after so many evaluations without a better score",
        examples=[3],
    )
    max_minutes: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="end training after so long, over all its sittings, with the best model found "
        "until then; in the last fifth the learning rate falls to 0; null: no limit",
        examples=[60],
    )
    save_minutes: float | None = Field(
        15,
        gt=0,
        le=100_000,
        description="save what is learned at least so often, without an evaluation",
        examples=[5],
    )
    timeout_minutes: float = Field(
        30, gt=0, le=100_000, description="how long one of several processes waits for another"
    )
    seed: int = Field(
        42, ge=0, lt=2**32, description="of the head, the order of batches and dropout"
    )
    precision: Literal["auto", "bf16", "fp16", "fp32"] = Field(
        "auto", description="auto: bf16 where the hardware computes it, else fp32"
    )
    fast_cpu: bool = Field(
        True,
        description="compute by faster operations on a CPU, also to predict; false: as "
        "transformers and PyTorch do by themselves",
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict,
        description="anything else of transformers.TrainingArguments",
        examples=[{"max_grad_norm": 0.5}],
    )

    @field_validator("arguments")
    @classmethod
    def _arguments_are_read(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        raise_together(argument_faults(arguments))
        return arguments

    @model_validator(mode="after")
    def _settings_fit(self) -> TrainingSection:
        raise_together(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        """Say which settings contradict each other, each with its key."""
        if self.momentum and self.optimizer not in WITH_MOMENTUM:
            problem = f"{self.optimizer} has none, only {' and '.join(WITH_MOMENTUM)}"
            yield Fault("momentum", problem)
        if self.optimizer != "adamw" and "optim" in self.arguments:
            both = f"it is {self.optimizer}, training.arguments.optim is {self.arguments['optim']}"
            yield Fault("optimizer", f"{both}. Keep one")
        if self.early_stopping is not None and self.arguments.get("eval_strategy") == "no":
            problem = (
                "it waits for evaluations, but training.arguments.eval_strategy is no. Keep one"
            )
            yield Fault("early_stopping", problem)
        if not self.padding and self.arguments.get("torch_compile"):
            problem = (
                "false goes not with training.arguments.torch_compile, which would compile for "
                "every number of pieces anew. Keep one"
            )
            yield Fault("padding", problem)
        if isinstance(self.class_weights, dict) and not any(self.class_weights.values()):
            yield Fault("class_weights", "all are 0, so nothing would be learned")
        if self.schedule_arguments or self.schedule in _WITH_ARGUMENTS:
            yield from schedule_faults(self.schedule, self.schedule_arguments)


class PretrainingSection(Section):
    """How `nlpt pretrain` goes on with masked-language modelling; `training` says the rest."""

    texts: File | None = Field(
        None,
        description="file of texts of the domain; null: data.unlabelled, else the texts of the "
        "training split",
        examples=["texts.txt"],
    )
    mask: float = Field(0.15, gt=0, lt=1, description="share of the words to be guessed")
    whole_words: bool = Field(True, description="false: pieces are masked one by one")
    epochs: float = Field(3, gt=0, le=10_000, description="instead of training.epochs")
    learning_rate: _LearningRate = Field(1e-4, description="instead of training.learning_rate")
    tokens_per_batch: _Tokens = Field(2048, description="instead of training.tokens_per_batch")
    held_out: float = Field(0.1, gt=0, lt=1, description="share of the texts to measure on")
