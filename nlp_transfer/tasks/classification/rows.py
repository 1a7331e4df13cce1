"""Labelled texts: loaded, checked, counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlp_transfer.data.check import check_classification
from nlp_transfer.data.label_counts import unseen_labels
from nlp_transfer.data.load import load_classification
from nlp_transfer.data.raw_words import RawWords
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import LossLedger, Nouns, Splits


@dataclass(frozen=True)
class ClassificationRows:
    """Rows of a text, or a pair of texts, and their labels."""

    classes: tuple[str, ...] | None
    """Declared class names, in order; None takes them from the data."""
    multi_label: bool

    nouns: ClassVar[Nouns] = Nouns("text", "text", "texts", "class", "labels")

    def load(self, data: DataSection, *, held_out: bool = True) -> Splits:
        """Load labelled texts."""
        return load_classification(
            data, classes=self.classes, multi_label=self.multi_label, held_out=held_out
        )

    def check(self, splits: Splits, needed: tuple[str, ...]) -> None:
        """Refuse empty or unlabelled splits, and training data of one class."""
        check_classification(splits, needed)

    def raw_words(self, splits: Splits, data: DataSection) -> RawWords | None:
        """Texts are not split into words."""
        return None

    def unseen(self, splits: Splits, split: str) -> LossLedger:
        """Count what reading lost, and the gold labels that the training split does not have."""
        losses = splits.losses.get(split, LossLedger())
        return losses + LossLedger(labels_unseen=unseen_labels(splits, split))
