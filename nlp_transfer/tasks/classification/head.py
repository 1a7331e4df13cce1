"""A classifier's outputs: one a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlp_transfer.tasks.faces import WindowRow
from nlp_transfer.tasks.objective import IGNORED, Objective

if TYPE_CHECKING:
    import torch

    from nlp_transfer.models.build import NewHead


@dataclass(frozen=True)
class ClassificationHead:
    """One output a class, for the whole window."""

    multi_label: bool

    @property
    def auto_class(self) -> Any:
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification

    def new(self, declared: Sequence[str]) -> NewHead:
        """Name the classes as they are, and say which of the two problems the head solves."""
        from nlp_transfer.models.build import NewHead

        kind = "multi_label" if self.multi_label else "single_label"
        return NewHead(self.auto_class, tuple(declared), f"{kind}_classification")

    def class_of(self, label: str) -> str:
        """Return the label: it is the class."""
        return label

    def classes_of(self, window: WindowRow, by_output: Sequence[str]) -> list[str]:
        """List the classes of a window's text."""
        ids = window["labels"]
        if self.multi_label:
            return [name for name, is_given in zip(by_output, ids, strict=True) if is_given == 1]
        return [by_output[index] for index in ids if index != IGNORED]

    def advice_on_labels(self, wanted: Sequence[str]) -> str:
        """Say nothing: a model knows its classes or does not."""
        return ""

    def loss_sum(
        self, logits: torch.Tensor, labels: torch.Tensor, objective: Objective
    ) -> torch.Tensor:
        """Sum the cross-entropy over texts, or over every label of every text.

        logits:  (windows, labels)
        labels:  (windows,) ids, or (windows, labels) 0 or 1; IGNORED where there is none
        returns: () float32
        """
        if self.multi_label:
            return objective.binary_cross_entropy(logits, labels)
        return objective.cross_entropy(logits, labels)
