"""Faces that only some tasks have; strategies ask for the one that they work with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from nlp_transfer.data.added import Alter
from nlp_transfer.data.items import Item
from nlp_transfer.data.tags import Span
from nlp_transfer.data.words import Splitter
from nlp_transfer.records import Prediction, Row

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

    from nlp_transfer.metrics.conformal import LabelSets
    from nlp_transfer.metrics.outcomes import Average, Judgement
    from nlp_transfer.metrics.precision import PrecisionCurve
    from nlp_transfer.metrics.reliability import ConfidenceFigures
    from nlp_transfer.shown import Example, Examples
    from nlp_transfer.tasks.analysis import Analysis

Line = Mapping[str, object]
"""One line of predictions.jsonl."""


class ErrorAnalysis(Protocol):
    """Where predictions fail."""

    def analyse(
        self,
        rows: Dataset,
        predictions: Sequence[Prediction],
        *,
        train: Dataset | None,
        columns: Sequence[str],
        samples: int,
    ) -> Analysis:
        """Sort a split into slices, and look for what is mistaken how often and how surely.

        train:   what training has seen; None: not known
        columns: of the data, that rows keep to be sorted by (`data.slices`)
        samples: resamples of the bootstrap intervals
        """

    def examples(self, lines: Iterable[Line]) -> Examples:
        """Show the lines of predictions.jsonl, as many as a page can hold."""


class Additions(Protocol):
    """Training rows that strategies make of texts, and what a model says of these."""

    @property
    def has_confidence(self) -> bool:
        """Whether a prediction has one probability of being right."""

    def unlabelled(self, item: Item, split: Splitter) -> dict[str, Any]:
        """Read an item as a row without labels; `split` cuts raw text into words."""

    def words(self, row: Row) -> dict[str, list[str]]:
        """Split what a model reads of a row into words, by column."""

    def joined(self, words: Mapping[str, list[str]]) -> dict[str, Any]:
        """Put words back into their columns."""

    def labelled(self, row: Row, prediction: Prediction) -> dict[str, Any]:
        """Give a row the labels that a model predicts for it."""

    def confidence(self, prediction: Prediction) -> float:
        """Return how sure a model is of its prediction, 0 to 1."""

    def classes(self, row: Row) -> set[str | None]:
        """List the types or classes of a labelled row; None is one that has none."""


class SpanRows(Protocol):
    """Rows that are labelled by runs of their words."""

    def words(self, row: Row) -> Sequence[str]:
        """Return the words of a row."""

    def labelled(self, row: Row, spans: Sequence[Span]) -> dict[str, Any]:
        """Give a row these spans as its labels, from left to right."""


class TextLabels(Protocol):
    """Rows that have a label as a whole."""

    def are_single(self, rows: Dataset) -> bool:
        """Tell whether each row is one text."""

    def row(self, text: str, label: str) -> dict[str, Any]:
        """Make a row of a text that has this label."""


class Alterations(Protocol):
    """Ways of altering rows by which their labels still hold."""

    @property
    def shares(self) -> Mapping[str, float]:
        """How much is altered by default, 0 to 1, by the key of a recipe that says so."""

    def of(self, train: Sequence[Row], *, typos: float, shares: Mapping[str, float]) -> Alter:
        """Alter rows by these shares; what is put into one comes from the others.

        typos: share of the longer words that are misspelled
        """


class Calibration(Protocol):
    """What a model keeps to correct its scores by, as plain numbers."""

    @property
    def curve(self) -> PrecisionCurve:
        """How many answers of the validation split were right, from the surest on."""

    def calibrated(self, prediction: Prediction) -> Prediction:
        """Correct the scores of a prediction as the model makes it; its answers stay."""

    def above(self, prediction: Prediction, least: float) -> Prediction:
        """Leave out the answers of a calibrated prediction whose score is below the least."""

    @property
    def sets(self) -> LabelSets | None:
        """Which labels belong into a set that is to hold the right one; None: there are no sets."""

    def with_set(self, prediction: Prediction, bound: float) -> Prediction:
        """Give a calibrated prediction the set of labels that `sets` has this bound for."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """Return what config.json holds; mode: json."""


class Confidence(Protocol):
    """How sure a model is, and how sure it should be."""

    def fit(self, rows: Dataset, predictions: Sequence[Prediction]) -> Calibration | None:
        """Learn from labelled rows how often answers of which score are right.

        rows:        not those that the model has learned from
        predictions: as the model makes them
        returns:     None where the rows are too few
        """

    def figures(self, rows: Dataset, predictions: Sequence[Prediction]) -> ConfidenceFigures | None:
        """Measure how far the scores of a split's answers can be trusted; None: it has none."""

    def read(self, said: Mapping[str, Any]) -> Calibration:
        """Read what a model keeps; pydantic's error where it is nothing that `fit` makes."""


class SoftLoss(Protocol):
    """The distance of a student's answers from its teacher's."""

    def __call__(
        self, student: torch.Tensor, taught: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        """Add it up over items, both sides softened by the temperature.

        student: (items, outputs) logits
        taught:  (items, outputs), as the decoder stitches them
        returns: () float32
        """


class Judge(Protocol):
    """What is right of predictions that a file holds, of ours or of any other tool.

    The headline of many is `metrics.outcomes.Outcomes.value`, that of metrics.json.
    """

    @property
    def average(self) -> Average:
        """How the headline sums up the groups: types or labels."""

    @property
    def shape(self) -> str:
        """Show what a line looks like."""

    def reads(self, line: Line) -> bool:
        """Tell whether a line is about this task, by its keys."""

    def judge(self, line: Line, where: str) -> Judgement:
        """Count what is right of one example.

        where:  file:line, for errors
        raises: UserError where the line cannot be read
        """

    def shown(self, line: Line, number: int) -> Example:
        """Show a line that can be read: what is gold, and what is predicted.

        number: of the line, from 1
        """


class Stock(Protocol):
    """What transformers' own pipeline makes of a model, whose card says it."""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What `pipeline` is called with, beside the model."""

    def text(self, line: Line) -> str | dict[str, str]:
        """Take the raw text of an example, as the pipeline reads it."""

    def judge(self, line: Line, found: Any) -> Judgement:
        """Count what is right of what the pipeline finds in it."""
