"""A tagger's outputs: O, B-x and I-x for every entity type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.tags import iob2_labels, split_tag
from nlp_transfer.tasks.faces import WindowRow
from nlp_transfer.tasks.objective import IGNORED, Objective

if TYPE_CHECKING:
    import torch

    from nlp_transfer.models.build import NewHead


@dataclass(frozen=True)
class NerHead:
    """One output a tag, at every piece."""

    @property
    def auto_class(self) -> Any:
        from transformers import AutoModelForTokenClassification

        return AutoModelForTokenClassification

    def new(self, declared: Sequence[str]) -> NewHead:
        """Name O, B-x and I-x for every type, seen in train or not."""
        from nlp_transfer.models.build import NewHead

        return NewHead(self.auto_class, tuple(iob2_labels(declared)), reads_pieces=True)

    def class_of(self, label: str) -> str:
        """Return the type of B-x and I-x, and O."""
        return split_tag(label)[1] or label

    def classes_of(self, window: WindowRow, by_output: Sequence[str]) -> list[str]:
        """List the classes of a window's labelled words."""
        return [by_output[index] for index in window["labels"] if index != IGNORED]

    def advice_on_labels(self, wanted: Sequence[str]) -> str:
        """Say nothing: the labels of our own models name their types."""
        return ""

    def loss_sum(
        self, logits: torch.Tensor, labels: torch.Tensor, objective: Objective
    ) -> torch.Tensor:
        """Sum the cross-entropy over the first pieces of labelled words.

        logits:  (windows, pieces, labels)
        labels:  (windows, pieces) label ids, or IGNORED
        returns: () float32
        """
        return objective.cross_entropy(logits.flatten(0, 1), labels.flatten())
