"""What a run hands to its strategies: its recipe and models, its data, the trained model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from nlp_transfer.recipe import ModelSection, Recipe
from nlp_transfer.records import EncodedSplit, Prediction

if TYPE_CHECKING:
    import numpy as np
    import torch
    from datasets import Dataset
    from numpy.typing import NDArray
    from torch import nn
    from transformers import PreTrainedModel
    from transformers.utils import ModelOutput

    from nlp_transfer.models.build import LoadedModel
    from nlp_transfer.records import Row
    from nlp_transfer.strategies.base import Strategy
    from nlp_transfer.tasks.base import Task

Wrapper = Literal["ddp", "fsdp2", "zero-0", "zero-1", "zero-2", "zero-3"]
"""What a model learns in where processes share the work. FSDP2 and DeepSpeed's ZeRO-3 leave each
process a part of every weight, ZeRO-1 and ZeRO-2 a part of the optimizer's state."""
TransferRecipe: TypeAlias = "Recipe[Task, Strategy]"
"""A recipe of some task by some strategies."""
Batch = Mapping[str, "torch.Tensor"]
"""What the model reads, (windows, pieces) each; `labels` as the task's windows have them; and
`windows`, (windows,): the number of each in train."""
Forward = Callable[[Batch], "ModelOutput"]
"""Computes the model's outputs for a batch; each call draws its own dropout. `logits` are
(windows, pieces, labels) where words are labelled, (windows, labels) where texts are."""
LossFunction = Callable[[Forward, Batch, "torch.Tensor"], "torch.Tensor"]
"""The loss of a batch, a scalar. The last argument is the number of labelled items of the whole
step, a scalar, over all processes and accumulated batches: a sum over the batch divided by it adds
up to the mean."""


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
        """Compute the hidden states of windows, the embeddings' first, then one a layer.

        returns: (windows, pieces, hidden) each
        """


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
    """Folder of the model that the run starts from: the recipe's checkpoint, or a round's."""
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
class LabelledInputs:
    """What the output layer reads at labelled items, and what it should answer."""

    inputs: NDArray[np.float32]
    """(items, width), of the encoder as it is, without dropout."""
    labels: NDArray[np.int64]
    """(items,) label ids; or (items, labels) 0 or 1 where each label is a yes or no, or IGNORED."""
    weights: NDArray[np.float64]
    """(items,), how much each counts: where only some were drawn, rare labels are more frequent
    among them than in the data, and count less."""


@dataclass(frozen=True)
class OutputLayer:
    """The layer that gives the logits of a task, before the first step."""

    module: nn.Linear
    labels: Sequence[str]
    """Of its outputs, in their order."""
    class_weights: Sequence[float] | None
    """How much an item of each label is to count; None: all the same."""
    read: Callable[[str], LabelledInputs]
    """Compute what it reads of a split, `train` or `validation`, or of a part of it that is large
    enough; to be called by all processes."""


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
