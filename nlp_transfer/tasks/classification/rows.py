"""Labelled texts: loaded, checked, counted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nlp_transfer.data.check import check_splits, keys_of_train
from nlp_transfer.data.raw_words import RawWords
from nlp_transfer.data.sources import open_source
from nlp_transfer.doctor.rows import columns, unseen_labels
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import LossLedger, Nouns, Row, Splits
from nlp_transfer.tasks.classification.loading import check_classes, load_texts

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassificationRows:
    """Rows of a text, or a pair of texts, and their labels."""

    classes: tuple[str, ...] | None = None
    """Declared class names, in order; None takes them from the data."""
    multi_label: bool = False
    unknown_label: str | None = None
    """What the data calls texts of none of the classes."""

    nouns: ClassVar[Nouns] = Nouns(
        "text", "text", "texts", "class", "classes", "labels",
        unlabelled="Where a text may have no label: task.multi_label=true.",
    )  # fmt: skip
    case_matters: ClassVar[bool] = False
    losses: ClassVar[frozenset[str]] = frozenset(("labels_unseen", "pairs_incomplete"))
    spans: ClassVar[None] = None

    @property
    def keys(self) -> frozenset[str]:
        """Several labels may stand in one field."""
        return frozenset({"slices", *(["label_separator"] if self.multi_label else [])})

    def load(self, data: DataSection, *, held_out: bool = True) -> Splits:
        data, raw = open_source(data, self.keys)
        return load_texts(
            data,
            raw,
            self.classes,
            multi_label=self.multi_label,
            held_out=held_out,
            unknown=self.unknown_label,
        )

    def check(self, splits: Splits, needed: tuple[str, ...]) -> None:
        """Refuse empty or unlabelled splits, and training data of one class."""
        check_splits(splits, needed)
        for name in needed:
            unlabelled = sum(labels is None for labels in splits[name]["labels"])
            if unlabelled:
                raise UserError(
                    f"{unlabelled} of {len(splits[name])} examples of the {name} split have no "
                    f"label. Choose a labelled split with data.splits.{name}=NAME, or null to "
                    "split one off."
                )
        if "train" in needed:
            train, keys = splits["train"], keys_of_train(splits)
            _check_columns(train, check_classes(train, keys), keys)

    def raw_words(self, splits: Splits, data: DataSection) -> RawWords | None:
        """Texts are not split into words."""
        return None

    def texts(self, rows: Dataset) -> Iterator[list[str]]:
        for text, pair in columns(rows, "text", "text_pair"):
            yield [text] if pair is None else [text, pair]

    def words(self, rows: Dataset) -> Iterator[list[str]]:
        """Yield what white space separates."""
        return ([word for text in texts for word in text.split()] for texts in self.texts(rows))

    def answers(self, rows: Dataset) -> Iterator[list[str] | None]:
        """Yield the sorted labels of each row."""
        for (labels,) in columns(rows, "labels"):
            yield labels if labels is None else sorted(labels)

    def label_counts(self, rows: Dataset) -> Counter[str]:
        """Count the texts of each class."""
        return Counter(name for (labels,) in columns(rows, "labels") for name in labels or ())

    def contrast(self, one: Row, other: Row) -> tuple[str, str]:
        """List the labels of both."""
        ours, theirs = (", ".join(sorted(row["labels"])) or "none" for row in (one, other))
        return ours, theirs

    def unseen(self, splits: Splits, split: str) -> LossLedger:
        """Count what reading lost, and the gold labels that the training split does not have."""
        losses = splits.losses.get(split, LossLedger())
        return losses + LossLedger(labels_unseen=unseen_labels(self, splits, split))


def _check_columns(rows: Dataset, classes: int, keys: str) -> None:
    """Refuse texts that repeat where their labels do not; warn where hardly a label does.

    keys: what decides which rows there are
    """
    if classes * 2 <= len(rows):
        return
    texts = len(set(rows["text"]))
    found = f"The train split has {classes:,} classes for {texts:,} different texts"
    if classes > texts:
        raise UserError(
            f"{found}: the column of the texts seems to be read as the labels, and the other way "
            "round. Name them with data.columns.text=COLUMN and data.columns.label=COLUMN."
        )
    log.warning(
        "%s, under 2 examples a class. Is data.columns.label the right one? See %s.", found, keys
    )
