"""One small face for each thing that every task says of its rows; further ones: optional.py.

A face is a frozen dataclass in a module of the task's own folder. What other rooms need of a task
they ask of a face; which task it is they do not ask.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from nlp_transfer.doctor.rows import RowReader

if TYPE_CHECKING:
    import numpy as np
    import torch
    from datasets import Dataset
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

    from nlp_transfer.data.items import Item
    from nlp_transfer.data.raw_words import RawWords
    from nlp_transfer.data.words import Splitter
    from nlp_transfer.doctor.finding import Finding
    from nlp_transfer.metrics.figures import Headline, Score
    from nlp_transfer.models.build import NewHead
    from nlp_transfer.recipe import DataSection, ModelSection
    from nlp_transfer.records import CardFacts, LossLedger, Prediction, Row, Splits
    from nlp_transfer.shown import Table
    from nlp_transfer.tasks.objective import Objective

WindowRow = dict[str, Any]


class Rows(RowReader, Protocol):
    """The labelled examples of a task."""

    @property
    def losses(self) -> frozenset[str]:
        """Counts of the loss ledger that not every task has."""

    @property
    def keys(self) -> Collection[str]:
        """Keys of the data section about words and labels (`data.keys.OF_TASKS`) that it uses."""

    def load(self, data: DataSection, *, held_out: bool = True) -> Splits:
        """Load the data of a recipe; `held_out` splits off from train what is not there."""

    def check(self, splits: Splits, needed: tuple[str, ...]) -> None:
        """Raise UserError where training on, or scoring, the needed splits would be wasted."""

    def raw_words(self, splits: Splits, data: DataSection) -> RawWords | None:
        """Say how raw text is split for a model, and how that fits its data; None: it is not."""

    def unseen(self, splits: Splits, split: str) -> LossLedger:
        """Count what reading a split lost, and its gold labels that the training split has not."""


class Checks(Protocol):
    """What the data doctor looks for in these rows only."""

    def amounts(self, splits: Splits) -> Iterator[Finding]:
        """Find labels that are missing, rare or far more frequent than others."""

    def own(self, splits: Splits) -> Iterator[Finding]:
        """Find what no other task's rows can have wrong."""

    def raw_text(self, splits: Splits, data: DataSection) -> Iterator[Finding]:
        """Find examples that would be read otherwise as raw text."""


class Windows(Protocol):
    """Rows as the model reads them."""

    @property
    def whole(self) -> bool:
        """Whether long examples are read to their end."""

    def encode(
        self,
        rows: Iterable[Row],
        tokenizer: PreTrainedTokenizerBase,
        label_ids: Mapping[str, int],
        options: ModelSection,
    ) -> Iterator[tuple[list[WindowRow], LossLedger]]:
        """Turn each row into the windows that the model reads, and count what they lose.

        label_ids: number of the model's output by its label
        yields:    windows of input_ids, labels, and what else the task's `collate` needs
        """

    def collate(
        self, windows: Sequence[WindowRow], pad_id: int, length: int | None = None
    ) -> dict[str, torch.Tensor]:
        """Pad windows into one batch.

        length:  pieces that each is padded to; None: as many as the longest has
        returns: input_ids and attention_mask, (windows, pieces) int64 each, and labels: shaped as
                 `loss_sum` has them
        """


class Head(Protocol):
    """The outputs of a model for the task."""

    @property
    def auto_class(self) -> Any:
        """The transformers auto class of such models."""

    def new(self, declared: Sequence[str]) -> NewHead:
        """Describe the head of a new model, from the types or classes of the data."""

    def class_of(self, label: str) -> str:
        """Return the class that an output stands for: what frequencies and weights are of."""

    def classes_of(self, window: WindowRow, by_output: Sequence[str]) -> list[str]:
        """List the classes of a window's labelled items; none where labels are no classes.

        by_output: the class of each output
        """

    def advice_on_labels(self, wanted: Sequence[str]) -> str:
        """Say, after a blank, how a model comes to know the wanted labels; mostly it does not."""

    def loss_sum(
        self, logits: torch.Tensor, labels: torch.Tensor, objective: Objective
    ) -> torch.Tensor:
        """Add up the loss over all labelled items of a batch.

        logits:  (windows, pieces, outputs), or (windows, outputs) where a window has one answer
        labels:  the batch's, IGNORED where there is none
        returns: () float32
        """


class Decoder(Protocol):
    """From a model's outputs to predictions."""

    def window_outputs(
        self, logits: torch.Tensor, windows: Sequence[WindowRow]
    ) -> list[NDArray[np.float32]]:
        """Reduce a batch of logits to what `stitch` needs of each window.

        logits:  (windows, pieces, outputs), or (windows, outputs) where a window has one answer
        returns: (items, outputs) a window: items are its words, or one for the whole text
        """

    def stitch(
        self, outputs: Sequence[NDArray[np.float32]], labels: int
    ) -> NDArray[np.floating[Any]]:
        """Join the outputs of one example's windows to what `decode` chooses from.

        outputs: (items, outputs) a window
        labels:  how many outputs the model has
        returns: (items, outputs), mostly log-probabilities; one item where a text has one answer
        """

    def mean(self, stitched: Sequence[NDArray[np.floating[Any]]]) -> NDArray[np.floating[Any]]:
        """Average what several models say of one example, their outputs in the same order.

        stitched: (items, outputs) a model
        returns:  (items, outputs)
        """

    def decode(self, stitched: NDArray[np.floating[Any]], labels: Sequence[str]) -> Prediction:
        """Choose the prediction of one example from (items, outputs)."""


class Figures(Protocol):
    """Every figure of a split."""

    @property
    def headline(self) -> Headline:
        """The one that counts."""

    @property
    def per_label(self) -> Mapping[str, Score]:
        """Scores of each type or class; none where the task has none."""

    def tables(self) -> Sequence[Table]:
        """Show them to people, the headline first."""

    def in_words(self) -> str:
        """Say in a sentence or two how much is right, and where most and least of it."""

    def compared(self) -> Sequence[tuple[str, str, float]]:
        """Choose what the Hub compares models by: its name of the metric, ours, the figure."""

    def as_dict(self) -> dict[str, Any]:
        """Write them as metrics.json has them."""


class Scores(Protocol):
    """How good predictions are."""

    @property
    def headline(self) -> str:
        """The figure by which checkpoints are compared, as people call it."""

    def headline_figure(self, rows: Dataset, predictions: Sequence[Prediction]) -> float:
        """Compute the headline figure alone, a fraction; quick enough for every epoch."""

    def figures(self, rows: Dataset, predictions: Sequence[Prediction], *, samples: int) -> Figures:
        """Compute every figure of one split.

        samples: resamples of the bootstrap intervals
        """

    def read(self, figures: Mapping[str, Any]) -> Figures:
        """Read what `as_dict` of figures wrote."""

    def read_headline(self, line: Mapping[str, Any]) -> Headline:
        """Read what `as_dict` of a headline wrote."""

    def constant_answer(self, rows: Dataset, predictions: Sequence[Prediction]) -> str | None:
        """Say what a model predicts for everything, where it does so and the data has more."""


class Results(Protocol):
    """What is read of the user's items, and what is written of predictions."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of results as `nlpt predict` writes them; no field of an input comes under them."""

    @property
    def word_lists(self) -> bool:
        """Whether an item may be a list of words."""

    def row(self, item: Item, split: Splitter) -> dict[str, Any]:
        """Read what the model reads of an item; `split` cuts raw text into words."""

    def result(self, row: Row, prediction: Prediction) -> dict[str, Any]:
        """Describe a row of `row` and what is predicted for it, as `nlpt predict` writes it."""

    def example(self, row: Row, prediction: Prediction) -> dict[str, Any]:
        """Describe one row of a split, gold and predicted, for predictions.jsonl."""

    @property
    def card(self) -> CardFacts:
        """What a model card says of the task."""


def only_answer(gold: Iterable[str], given: Iterable[str]) -> str | None:
    """Return the one answer that is given to everything, where others would have been right."""
    answers = set(given)
    return next(iter(answers)) if len(answers) == 1 and not answers.issuperset(gold) else None
