"""Tagged sentences: loaded, checked, counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlp_transfer.data.check import check_ner
from nlp_transfer.data.label_counts import unseen_labels
from nlp_transfer.data.load import load_ner
from nlp_transfer.data.raw_words import RawWords, measure
from nlp_transfer.data.segmenters import checked_rule
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import LossLedger, Nouns, Splits


@dataclass(frozen=True)
class NerRows:
    """Rows of words and their IOB2 tags."""

    types: tuple[str, ...] | None
    """Declared entity types, in order; None takes them from the data."""

    nouns: ClassVar[Nouns] = Nouns("sentence", "entity", "entities", "type", "tags")

    def load(self, data: DataSection, *, held_out: bool = True) -> Splits:
        """Load tagged sentences, converted to IOB2."""
        checked_rule(data.words, "data.words")
        return load_ner(data, types=self.types, held_out=held_out)

    def check(self, splits: Splits, needed: tuple[str, ...]) -> None:
        """Refuse empty splits and training data without entities."""
        check_ner(splits, needed)

    def raw_words(self, splits: Splits, data: DataSection) -> RawWords | None:
        """Measure how often the text of training sentences splits into the words they have."""
        return measure(splits["train"], data.words)

    def unseen(self, splits: Splits, split: str) -> LossLedger:
        """Count what reading lost, and the entities of types that the training split has not."""
        losses = splits.losses.get(split, LossLedger())
        return losses + LossLedger(entities_unseen_type=unseen_labels(splits, split))
