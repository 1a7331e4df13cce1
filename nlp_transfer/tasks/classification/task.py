"""Text classification: one label, or any number of labels, for a text or a pair of texts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nlp_transfer.recipe import LabelNames
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.classification.checks import ClassificationChecks
from nlp_transfer.tasks.classification.decoding import ClassificationDecoder
from nlp_transfer.tasks.classification.head import ClassificationHead
from nlp_transfer.tasks.classification.results import ClassificationResults
from nlp_transfer.tasks.classification.rows import ClassificationRows
from nlp_transfer.tasks.classification.scores import ClassificationScores
from nlp_transfer.tasks.classification.windows import ClassificationWindows


class ClassificationTask(Task):
    """Sort texts into classes."""

    name: Literal["classification"] = "classification"
    classes: LabelNames | None = Field(
        None,
        description="class names, in order; null takes them from the data",
        examples=[["ham", "spam"]],
    )
    multi_label: bool = Field(False, description="a text may have several labels, or none")
    threshold: float = Field(0.5, gt=0, lt=1, description="multi-label: least probability")
    long_texts: Literal["windows", "truncate"] = Field(
        "windows",
        description="read to the end in windows (mean of their logits), or cut off and counted; "
        "pairs of texts are always cut",
    )

    @property
    def kind(self) -> str:
        """The name, and whether several labels may hold at once."""
        return f"multi-label {self.name}" if self.multi_label else self.name

    @property
    def rows(self) -> ClassificationRows:
        """Labelled texts."""
        return ClassificationRows(self.classes, self.multi_label)

    @property
    def checks(self) -> ClassificationChecks:
        """Doubtful labels and texts."""
        return ClassificationChecks(self.rows)

    @property
    def windows(self) -> ClassificationWindows:
        """Texts, cut where they are long."""
        return ClassificationWindows(self.multi_label, self.long_texts)

    @property
    def head(self) -> ClassificationHead:
        """One output a class."""
        return ClassificationHead(self.multi_label)

    @property
    def decoder(self) -> ClassificationDecoder:
        """Labels from the probabilities of a text."""
        return ClassificationDecoder(self.multi_label, self.threshold)

    @property
    def scores(self) -> ClassificationScores:
        """Macro F1 and what stands beside it."""
        return ClassificationScores(self.multi_label)

    @property
    def results(self) -> ClassificationResults:
        """Labels and probabilities."""
        return ClassificationResults(self.multi_label)
