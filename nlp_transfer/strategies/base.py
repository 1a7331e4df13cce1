"""What a transfer strategy can hook into; every hook does nothing by default."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeAlias, TypedDict

from nlp_transfer.recipe import ModelSection, Recipe, Section
from nlp_transfer.records import EncodedSplit, Prediction, Splits
from nlp_transfer.tasks.objective import IGNORED

if TYPE_CHECKING:
    import numpy as np
    import torch
    from datasets import Dataset
    from numpy.typing import NDArray
    from torch import nn
    from transformers import PreTrainedModel, TrainerCallback
    from transformers.utils import ModelOutput

    from nlp_transfer.models.build import LoadedModel
    from nlp_transfer.records import Row
    from nlp_transfer.strategies.plan import Plan
    from nlp_transfer.tasks.base import Task

Batch = Mapping[str, "torch.Tensor"]
"""What the model reads, with `labels`, and `windows`: the number of each window in train."""
Forward = Callable[[Batch], "ModelOutput"]
"""Computes the model's outputs (`logits`, ...) for a batch; each call draws its own dropout."""
LossFunction = Callable[[Forward, Batch, "torch.Tensor"], "torch.Tensor"]
"""The loss of a batch. The last argument is the number of labelled items of the whole step, over
all processes and accumulated batches: a sum over the batch divided by it adds up to the mean."""


class ParameterGroup(TypedDict):
    """Parameters that share a learning rate."""

    params: list[nn.Parameter]
    lr: float


WEIGHTS = "which weights learn"
RATES = "the learning rate of each layer"
ADAPTERS = "adapters"
"""The group of strategies that leave the checkpoint's weights as they are, and learn others."""


class Stage(IntEnum):
    """When a strategy first acts, in the order of a run."""

    ROWS = 1
    """It changes what is learned from."""
    WEIGHTS = 2
    """It changes where the model starts, or which of its weights learn."""
    RATES = 3
    """It changes how fast weights learn."""
    LOSS = 4
    """It changes what is made smaller."""
    KEPT = 5
    """It changes which model is kept."""


class FineTuned(Protocol):
    """A fine-tuned model as a strategy sees it: a teacher, a source of labels."""

    @property
    def loaded(self) -> LoadedModel:
        """The model with its tokenizer."""

    @property
    def task(self) -> Task:
        """The task it was trained for."""

    @property
    def options(self) -> ModelSection:
        """The windows it reads."""

    @property
    def precision(self) -> str:
        """What it computes in: bf16, fp16 or fp32."""

    @property
    def labels(self) -> list[str]:
        """Its labels in the order of its outputs."""

    def predict(self, rows: Iterable[Row]) -> Iterator[Prediction]:
        """Predict rows as `Splits` hold them, streaming, in order."""

    def distributions(self, rows: Iterable[Row]) -> Iterator[NDArray[np.floating[Any]]]:
        """Compute the log-probabilities that it predicts from: (words or 1, labels) a row."""

    def hidden_states(self, batch: Batch) -> Sequence[torch.Tensor]:
        """Compute the hidden states of windows, the embeddings' first, then one a layer."""


class OpenModels:
    """The fine-tuned models that a run reads beside its checkpoint, each opened once."""

    def __init__(self, load: Callable[[str, str], FineTuned]) -> None:
        self._load = load
        self._open: dict[str, FineTuned] = {}

    def open(self, name: str, key: str) -> FineTuned:
        """Open a run folder, model folder or Hub id, if it is not open.

        key:    the recipe key that names it, for error messages
        raises: UserError when it is no fine-tuned model
        """
        if name not in self._open:
            self._open[name] = self._load(name, key)
        return self._open[name]

    def close(self, name: str) -> None:
        """Free the memory of a model that is not needed soon."""
        self._open.pop(name, None)


@dataclass(frozen=True)
class RunContext:
    """The run that a strategy is part of."""

    recipe: TransferRecipe
    start: Path
    """Folder of the checkpoint that the run starts from."""
    models: OpenModels
    earlier_round: str | None = None
    """The run of the round before this one, where a strategy takes several rounds."""


@dataclass(frozen=True)
class TrainingData:
    """What a model learns a task from."""

    run: RunContext
    loaded: LoadedModel
    train: EncodedSplit
    rows: Dataset
    """The examples that were encoded."""


@dataclass(frozen=True)
class Outcome:
    """What surrounds a trained model, for strategies that choose what is kept."""

    run: RunContext
    new_parameters: frozenset[str]
    """Names of the parameters that started at random."""
    checkpoints: Path
    """Folder in which callbacks have kept weights of this run."""
    score: Callable[[PreTrainedModel], float]
    """Computes the headline figure of a model on the validation split, a fraction."""


class Kept(NamedTuple):
    """What a strategy makes of a trained model."""

    model: PreTrainedModel
    figures: Mapping[str, Any] = {}
    """What it has measured, for the training section of metrics.json."""


class Strategy(Section):
    """A way of transferring: its recipe section, whose fields are its hyper-parameters.

    The strategies of a recipe act by stage and order, however the recipe lists them.
    """

    stage: ClassVar[Stage]
    order: ClassVar[int]
    """Its rank among those of its stage; no two are equal."""
    exclusive: ClassVar[tuple[str, ...]] = ()
    """Decisions that only one strategy of a recipe may take."""
    group: ClassVar[str] = ""
    """What strategies that exclude it, and others like it, call them all."""
    excludes: ClassVar[tuple[str, ...]] = ()
    """Names of strategies, or of groups of them, that make no sense beside this one."""
    tasks: ClassVar[tuple[str, ...]] = ("ner", "classification")
    """Names of the tasks that it works for."""
    moves_all_weights: ClassVar[bool] = False
    """Whether weights that no training window reads have a gradient too."""

    name: str

    def misfits(self, recipe: TransferRecipe) -> Iterator[str]:
        """Say what of the recipe does not go with this strategy."""
        yield from ()

    def arguments(self) -> Mapping[str, Any]:
        """Return settings of transformers.TrainingArguments that the strategy depends on."""
        return {}

    def plan(self, plan: Plan) -> Plan:
        """Put a round before the run, or tasks that learn along beside its own."""
        return plan

    def reads(self) -> Mapping[str, str]:
        """Name the files and models that it reads, by the keys that they stand under."""
        return {}

    def check(self, splits: Splits, run: RunContext) -> None:
        """Refuse what cannot work with this data, before any time is spent."""

    def add_rows(self, splits: Splits, run: RunContext) -> Splits:
        """Add rows to the training split."""
        return splits

    def carry_over(self, loaded: LoadedModel, run: RunContext) -> LoadedModel:
        """Take more over from the checkpoint than its encoder."""
        return loaded

    def choose_weights(self, loaded: LoadedModel, run: RunContext) -> LoadedModel:
        """Choose which weights of the model learn, or put others that do beside them.

        raises: UserError when it does not fit the model
        """
        return loaded

    def param_groups(self, model: nn.Module, learning_rate: float) -> Sequence[ParameterGroup]:
        """Return the parameters that learn at a rate of their own; what decays stays as it is."""
        return []

    def wrap_loss(self, model: nn.Module, loss: LossFunction, data: TrainingData) -> LossFunction:
        """Change the loss."""
        return loss

    def callbacks(self) -> Sequence[TrainerCallback]:
        """Return callbacks for the Trainer."""
        return []

    def finish(self, model: PreTrainedModel, outcome: Outcome) -> Kept:
        """Turn the trained model into the one that is kept."""
        return Kept(model)


TransferRecipe: TypeAlias = "Recipe[Task, Strategy]"
"""A recipe of some task by some strategies."""


def share_of_step(batch: Batch, items: torch.Tensor) -> torch.Tensor:
    """Return the share of a step's labelled items that are in this batch, 0 to 1.

    A term that belongs to the whole step, such as a penalty on the weights, is added in these
    shares: over all processes and accumulated batches it then counts once.
    """
    return (batch["labels"] != IGNORED).sum() / items
