"""What every task shares: its hooks, and how a checkpoint becomes a model with named labels."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nlp_transfer.data.raw_words import RawWords
from nlp_transfer.data.tables import integer_lists, iterate
from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import embedding_rows
from nlp_transfer.models.carry_over import is_fine_tuned, keep_layers, with_new_head
from nlp_transfer.models.finite import check_finite
from nlp_transfer.models.fit import check_encoder, check_length, check_vocabulary
from nlp_transfer.models.loading import (
    ADAPTER_FILE,
    CONFIG_FILE,
    load_config,
    load_model,
    load_tokenizer,
    set_attention,
)
from nlp_transfer.recipe import DataSection, ModelSection, Section
from nlp_transfer.records import EncodedSplit, LossLedger, Prediction, Splits
from nlp_transfer.tasks.objective import IGNORED as IGNORED
from nlp_transfer.tasks.objective import Objective

if TYPE_CHECKING:
    import numpy as np
    import torch
    from datasets import Dataset
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

Row = Mapping[str, Any]
WindowRow = dict[str, Any]

_KEY = "model.checkpoint"
OR_ALLOW = (
    "Correct config.json or the files, take another checkpoint, or let what is missing start at "
    "random with model.allow_random=true."
)
"""What to do about a checkpoint whose files lack weights of its encoder."""


@dataclass(frozen=True)
class LoadedModel:
    """A model with a head for the task, and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    new_parameters: frozenset[str]
    """Names of the parameters that the checkpoint did not have: they start at random."""


def output_labels(config: Any) -> list[str]:
    """List the labels of a model's configuration in the order of its outputs."""
    return [config.id2label[index] for index in range(len(config.id2label))]


def only_answer(gold: Iterable[str], given: Iterable[str]) -> str | None:
    """Return the one answer that is given to everything, where others would have been right."""
    answers = set(given)
    return next(iter(answers)) if len(answers) == 1 and not answers.issuperset(gold) else None


class Task(Section):
    """A task: its recipe section and its hooks. Rows come from `Splits`, windows from `encode`."""

    name: str
    headline: ClassVar[str]
    """The figure by which checkpoints are compared, as people call it."""
    result_keys: ClassVar[tuple[str, ...]]
    """Keys of predictions as `nlpt predict` writes them; no field of an input comes under them."""

    @abstractmethod
    def load(self, data: DataSection, *, held_out: bool = True) -> Splits:
        """Load the data of a recipe; `held_out` splits off from train what is not there."""

    def raw_words(self, splits: Splits, data: DataSection) -> RawWords | None:
        """Say how raw text is split for a model, and how that fits its data; None: it is not."""
        return None

    @abstractmethod
    def check(self, splits: Splits, needed: tuple[str, ...]) -> None:
        """Raise UserError where training on, or scoring, the needed splits would be wasted."""

    @abstractmethod
    def labels(self, declared: Sequence[str]) -> list[str]:
        """Name the model's outputs, in order, from the types or classes of the data."""

    def class_of(self, label: str) -> str:
        """Return the class that an output stands for: what frequencies and weights are of."""
        return label

    def advice_on_labels(self, wanted: Sequence[str]) -> str:
        """Say, after a blank, how a model comes to know the wanted labels; mostly it does not."""
        return ""

    @abstractmethod
    def encode_rows(
        self, rows: Iterable[Row], loaded: LoadedModel, options: ModelSection
    ) -> Iterator[tuple[list[WindowRow], LossLedger]]:
        """Turn each row into the windows that the model reads, and count what they lose."""

    @abstractmethod
    def collate(self, windows: Sequence[WindowRow], pad_id: int) -> dict[str, torch.Tensor]:
        """Pad windows into one batch."""

    @abstractmethod
    def loss_sum(
        self, logits: torch.Tensor, labels: torch.Tensor, objective: Objective
    ) -> torch.Tensor:
        """Add up the loss over all labelled items of a batch."""

    @abstractmethod
    def window_outputs(
        self, logits: torch.Tensor, windows: Sequence[WindowRow]
    ) -> list[NDArray[np.float32]]:
        """Reduce a batch of logits to what `log_probabilities` needs of each window."""

    @abstractmethod
    def log_probabilities(
        self, outputs: Sequence[NDArray[np.float32]], labels: int
    ) -> NDArray[np.floating[Any]]:
        """Stitch the outputs of one example's windows together.

        labels:  how many there are
        returns: (words, labels) for NER, (1, labels) for classification
        """

    @abstractmethod
    def decode(
        self, log_probabilities: NDArray[np.floating[Any]], labels: Sequence[str]
    ) -> Prediction:
        """Choose the prediction of one example."""

    @abstractmethod
    def headline_figure(self, rows: Dataset, predictions: Sequence[Prediction]) -> float:
        """Compute the headline figure alone, a fraction; quick enough for every epoch."""

    @abstractmethod
    def score(
        self, rows: Dataset, predictions: Sequence[Prediction], *, samples: int
    ) -> dict[str, Any]:
        """Compute every figure of one split, as metrics.json names them."""

    def constant_answer(self, rows: Dataset, predictions: Sequence[Prediction]) -> str | None:
        """Say what a model predicts for everything, where it does so and the data has more."""
        return None

    @abstractmethod
    def unseen(self, splits: Splits, split: str) -> LossLedger:
        """Count what reading a split lost, and its gold labels that the training split has not."""

    @abstractmethod
    def example_json(self, row: Row, prediction: Prediction) -> dict[str, Any]:
        """Describe one example, gold and predicted, for predictions.jsonl."""

    def examples_json(
        self, rows: Dataset, predictions: Sequence[Prediction]
    ) -> Iterator[dict[str, Any]]:
        """Describe every example of a split, in order."""
        for row, prediction in zip(iterate(rows), predictions, strict=True):
            yield self.example_json(row, prediction)

    @abstractmethod
    def auto_class(self) -> Any:
        """Return the transformers auto class of the model with this task's head."""

    def configure(self, config: Any) -> None:
        """Set what the task needs in a model's configuration."""

    def build_model(
        self, folder: Path, labels: Sequence[str], options: ModelSection
    ) -> LoadedModel:
        """Load a checkpoint, give it a head with named labels, and say what starts at random."""
        config = _encoder_config(folder, options, self.auto_class())
        fine_tuned = is_fine_tuned(config)
        config.num_labels = len(labels)
        config.id2label = dict(enumerate(labels))
        config.label2id = {name: index for index, name in enumerate(labels)}
        self.configure(config)
        if options.dropout is not None:
            _set_dropout(config, options.dropout)
        model, weights = load_model(
            self.auto_class(),
            folder,
            config,
            _KEY,
            trust_remote_code=options.trust_remote_code,
        )
        if not options.allow_random:
            check_encoder(model, weights, folder, _KEY, advice=OR_ALLOW)
        check_finite(model, f"{_KEY}: {folder}")
        set_attention(model, options.attention)
        new = weights.random
        if fine_tuned:
            # A head that fits by its size may still be for other labels, or for others' order.
            log.info("%s is fine-tuned: encoder carried over, head new", options.checkpoint)
            model, head = with_new_head(model)
            new |= head
        if options.layers is not None:
            model = keep_layers(model, options.layers)
        check_length(model, options)
        tokenizer = load_tokenizer(folder, trust_remote_code=options.trust_remote_code)
        check_vocabulary(embedding_rows(model), tokenizer, folder, _KEY)
        return LoadedModel(model, tokenizer, new)

    def encode(
        self,
        rows: Dataset,
        loaded: LoadedModel,
        options: ModelSection,
        *,
        folder: str | None = None,
        first_example: int = 0,
    ) -> EncodedSplit:
        """Encode rows into a table of windows, with their ledger.

        folder:        where the table lies; by default in one that lives as long as the process
        first_example: number of the first row in its split
        """
        ledger = LossLedger()

        def windows() -> Iterator[WindowRow]:
            nonlocal ledger
            encoded = self.encode_rows(iterate(rows), loaded, options)
            for example, (own, losses) in enumerate(encoded, start=first_example):
                ledger += losses
                yield from ({"example": example, **window} for window in own)

        table = integer_lists(windows(), folder=folder)
        if not len(table):
            raise UserError("No example has a word to read. Check data.columns.")
        return EncodedSplit(table, ledger)


def pad(lists: Sequence[Sequence[int]], value: int) -> torch.Tensor:
    """Pad lists of integers to the longest of them.

    returns: (lists, longest) int64
    """
    import torch

    longest = max(len(items) for items in lists)
    padded = [[*items, *[value] * (longest - len(items))] for items in lists]
    return torch.tensor(padded, dtype=torch.int64)


def _encoder_config(folder: Path, options: ModelSection, auto_class: Any) -> Any:
    from transformers import MODEL_FOR_MASKED_LM_MAPPING

    if (folder / ADAPTER_FILE).is_file() or not (folder / CONFIG_FILE).is_file():
        raise UserError(
            f"model.checkpoint: {folder} holds an adapter, not a whole model. Start from its base "
            "model, or from a run that merges the adapter (strategies lora: merge: true)."
        )
    config = load_config(folder, _KEY, trust_remote_code=options.trust_remote_code)
    known = type(config) in auto_class._model_mapping
    if not known or type(config) not in MODEL_FOR_MASKED_LM_MAPPING or config.is_encoder_decoder:
        raise UserError(
            f"model.checkpoint: {folder} is a {config.model_type!r} model, which is not an encoder "
            "for this task. Choose one of the BERT family: bert, roberta, distilbert, electra, "
            "albert, deberta, xlm-roberta, camembert, mpnet, modernbert..."
        )
    return config


# How the configurations of the families name their dropout rates.
_DROPOUTS = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout",
    "embedding_dropout", "mlp_dropout",
)  # fmt: skip


def _set_dropout(config: Any, rate: float) -> None:
    """Set every dropout rate of the encoder."""
    names = [name for name in _DROPOUTS if hasattr(config, name)]
    if not names:
        raise UserError(
            f"model.dropout: a {config.model_type!r} configuration has no dropout rate. "
            "Leave model.dropout out."
        )
    for name in names:
        setattr(config, name, rate)
