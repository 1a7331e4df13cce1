"""One output, which is the number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nlp_transfer.models.build import NewHead
from nlp_transfer.tasks.faces import WindowRow
from nlp_transfer.tasks.objective import IGNORED, Objective


@dataclass(frozen=True)
class RegressionHead:
    """One output for the whole text."""

    @property
    def auto_class(self) -> Any:
        """AutoModelForSequenceClassification."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification

    def new(self, declared: Sequence[str]) -> NewHead:
        """Name the one output."""
        return NewHead(self.auto_class, ("number",), "regression")

    def class_of(self, label: str) -> str:
        """Return the name of the output."""
        return label

    def classes_of(self, window: WindowRow, by_output: Sequence[str]) -> list[str]:
        """Numbers are no classes."""
        return []

    def advice_on_labels(self, wanted: Sequence[str]) -> str:
        """Say nothing."""
        return ""

    def loss_sum(
        self, logits: torch.Tensor, labels: torch.Tensor, objective: Objective
    ) -> torch.Tensor:
        """Sum the squared errors of (windows, 1) logits and (windows,) labels."""
        known = labels != IGNORED
        errors = logits[known, 0].float() - labels[known]
        return errors.square().sum()
