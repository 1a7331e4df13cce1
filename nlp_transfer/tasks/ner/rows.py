"""Tagged sentences: loaded, checked, counted."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import ClassVar

from nlp_transfer.data.check import check_splits
from nlp_transfer.data.label_counts import unseen_labels
from nlp_transfer.data.raw_words import RawWords, measure
from nlp_transfer.data.segmenters import checked_rule
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import LossLedger, Nouns, Splits
from nlp_transfer.tasks.ner.loading import load_sentences

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NerRows:
    """Rows of words and their IOB2 tags."""

    types: tuple[str, ...] | None = None
    """Declared entity types, in order; None takes them from the data."""

    nouns: ClassVar[Nouns] = Nouns("sentence", "entity", "entities", "type", "tags")

    def load(self, data: DataSection, *, held_out: bool = True) -> Splits:
        """Load tagged sentences, converted to IOB2."""
        checked_rule(data.words, "data.words")
        return load_sentences(data, self.types, held_out=held_out)

    def check(self, splits: Splits, needed: tuple[str, ...]) -> None:
        """Refuse empty splits and training data without entities."""
        check_splits(splits, needed)
        if not splits.labels:
            raise UserError(
                "The data has no entity: every tag is O, or data.scheme is none. Check "
                "data.columns.tags."
            )
        for name in needed:
            if any(tag != "O" for tags in splits[name]["tags"] for tag in tags):
                continue
            if name == "train":
                raise UserError(
                    "The train split has no entity: every tag is O. Check data.splits.train."
                )
            log.warning("%s: no entities: entity F1 is undefined, and reported as 0", name)

    def raw_words(self, splits: Splits, data: DataSection) -> RawWords | None:
        """Measure how often the text of training sentences splits into the words they have."""
        return measure(splits["train"], data.words)

    def unseen(self, splits: Splits, split: str) -> LossLedger:
        """Count what reading lost, and the entities of types that the training split has not."""
        losses = splits.losses.get(split, LossLedger())
        return losses + LossLedger(entities_unseen_type=unseen_labels(splits, split))
