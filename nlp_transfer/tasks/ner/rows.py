"""Tagged sentences: loaded, checked, counted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nlp_transfer.data.check import check_splits, keys_of_train
from nlp_transfer.data.formats.base import SPAN_KEYS, TAG_KEYS
from nlp_transfer.data.raw_words import RawWords, measure
from nlp_transfer.data.segmenters import checked_rule
from nlp_transfer.data.sources import open_source
from nlp_transfer.data.tags import Span, spans
from nlp_transfer.data.visible import shown
from nlp_transfer.doctor.rows import columns, unseen_labels
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import LossLedger, Nouns, Row, Splits
from nlp_transfer.tasks.ner.loading import load_sentences

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NerRows:
    """Rows of words and their IOB2 tags."""

    types: tuple[str, ...] | None = None
    """Declared entity types, in order; None takes them from the data."""
    in_documents: bool = False
    """Whether sentences are read with those around them in their document."""

    keys: ClassVar[frozenset[str]] = TAG_KEYS | SPAN_KEYS | {"words", "slices"}
    nouns: ClassVar[Nouns] = Nouns("sentence", "entity", "entities", "type", "types", "tags")
    case_matters: ClassVar[bool] = True
    losses: ClassVar[frozenset[str]] = frozenset(
        (
            "entities", "words_without_pieces", "entities_unseen_type", "entities_truncated",
            "entities_dropped", "tags_repaired", "spans_trimmed", "spans_expanded",
        )
    )  # fmt: skip

    def load(self, data: DataSection, *, held_out: bool = True) -> Splits:
        """Load tagged sentences, converted to IOB2."""
        checked_rule(data.words, "data.words")
        return load_sentences(
            *open_source(data, self.keys),
            self.types,
            held_out=held_out,
            in_documents=self.in_documents,
        )

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
                    f"The train split has no entity: every tag is O. Check {keys_of_train(splits)}."
                )
            log.warning("%s: no entities: entity F1 is undefined, and reported as 0", name)

    def raw_words(self, splits: Splits, data: DataSection) -> RawWords | None:
        """Measure how often the text of training sentences splits into the words they have."""
        return measure(splits["train"], data.words)

    def texts(self, rows: Dataset) -> Iterator[list[str]]:
        """Join the words of each sentence by blanks."""
        return ([" ".join(words)] for words in self.words(rows))

    def words(self, rows: Dataset) -> Iterator[list[str]]:
        return (words for (words,) in columns(rows, "words"))

    def answers(self, rows: Dataset) -> Iterator[list[str] | None]:
        return (tags for (tags,) in columns(rows, "tags"))

    def spans(self, rows: Dataset) -> Iterator[list[Span]]:
        return (spans(tags) for (tags,) in columns(rows, "tags"))

    def label_counts(self, rows: Dataset) -> Counter[str]:
        """Count the entities of each type, lost ones too."""
        counts: Counter[str] = Counter()
        for tags, lost in columns(rows, "tags", "lost"):
            counts.update(tag[2:] for tag in tags if tag.startswith("B-"))
            counts.update(lost or ())
        return counts

    def contrast(self, one: Row, other: Row) -> tuple[str, str]:
        """Name the first word that has different tags, with its tag, and the other tag."""
        pairs = zip(one["words"], one["tags"], other["tags"], strict=True)
        word, tag, theirs = next(pair for pair in pairs if pair[1] != pair[2])
        return f"{shown(word)} {tag}", theirs

    def unseen(self, splits: Splits, split: str) -> LossLedger:
        """Count what reading lost, and the entities of types that the training split has not."""
        losses = splits.losses.get(split, LossLedger())
        return losses + LossLedger(entities_unseen_type=unseen_labels(self, splits, split))
