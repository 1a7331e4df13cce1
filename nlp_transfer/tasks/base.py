"""What a task is: its recipe section, and its faces."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from nlp_transfer.errors import UserError
from nlp_transfer.recipe import Section
from nlp_transfer.tasks.faces import Checks, Decoder, Head, Results, Rows, Scores, Windows
from nlp_transfer.tasks.optional import (
    Additions,
    Alterations,
    Confidence,
    ErrorAnalysis,
    Judge,
    SoftLoss,
    SpanRows,
    Stock,
    TextLabels,
)

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


class Task(Section):
    """A task: its recipe section, and its faces."""

    name: str
    head_name: ClassVar[str]
    """How transformers ends the names of models with such a head."""

    @classmethod
    def of_model(
        cls,
        config: PreTrainedConfig,
        kept: Mapping[str, Any] | None,
        folder: Path,
        scheme: str | None,
    ) -> Task:
        """Read the task of a trained model with such a head.

        kept, folder, scheme: as `told.task_of` has them
        """
        if scheme is not None:
            raise UserError(
                f"--scheme: {folder} is no NER model that was trained elsewhere: nlpt's have IOB2 "
                "tags, classes have no scheme. Leave --scheme out."
            )
        return cls.model_validate(kept or {})

    @property
    def tag_scheme(self) -> str | None:
        """The scheme of a tagger's labels, where it was trained elsewhere."""
        return None

    @property
    def kind(self) -> str:
        """What must be the same of two models whose answers are compared or mixed."""
        return self.name

    def of_other_labels(self) -> Self:
        """Return the same task of data whose labels are its own: none are declared."""
        return self

    @property
    @abstractmethod
    def rows(self) -> Rows:
        """The labelled examples."""

    @property
    @abstractmethod
    def checks(self) -> Checks:
        """What the data doctor looks for in them only."""

    @property
    @abstractmethod
    def windows(self) -> Windows:
        """Rows as the model reads them."""

    @property
    @abstractmethod
    def head(self) -> Head:
        """The outputs of a model."""

    @property
    @abstractmethod
    def decoder(self) -> Decoder:
        """From outputs to predictions."""

    @property
    @abstractmethod
    def scores(self) -> Scores:
        """How good predictions are."""

    @property
    @abstractmethod
    def results(self) -> Results:
        """What is read of items and written of predictions."""

    @property
    def error_analysis(self) -> ErrorAnalysis | None:
        """Where predictions fail; None: nothing is said of it."""
        return None

    @property
    def additions(self) -> Additions | None:
        """Rows that a strategy makes of texts; None: no strategy can."""
        return None

    @property
    def span_rows(self) -> SpanRows | None:
        """Rows that are labelled by runs of their words; None: they are not."""
        return None

    @property
    def text_labels(self) -> TextLabels | None:
        """Rows that have a label as a whole; None: they have not."""
        return None

    @property
    def alterations(self) -> Alterations | None:
        """Ways of altering rows; None: no way is known by which labels hold."""
        return None

    @property
    def known_share(self) -> float | None:
        """Share of its own examples that a model is to know; None: it takes all for known."""
        return None

    @property
    def confidence(self) -> Confidence | None:
        """How sure its answers are; None: they have no scores."""
        return None

    @property
    def soft_loss(self) -> SoftLoss | None:
        """The distance of a student from its teacher; None: there are no probabilities."""
        return None

    @property
    def judge(self) -> Judge | None:
        """What is right of each example; None: its figure is no F1, which could be resampled."""
        return None

    @property
    def stock(self) -> Stock | None:
        """What transformers' own pipeline makes of a model; None: it has none for the task."""
        return None
