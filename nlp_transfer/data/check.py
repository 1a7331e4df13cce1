"""Splits in, a clear error out where training on them would be wasted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nlp_transfer.data.visible import alike, look, told_apart
from nlp_transfer.errors import UserError
from nlp_transfer.records import Splits

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)


def check_ner(splits: Splits, needed: tuple[str, ...]) -> None:
    """Refuse missing or empty splits, and training data without entities."""
    _check_present(splits, needed)
    _warn_of_look_alikes(splits)
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


def check_classification(splits: Splits, needed: tuple[str, ...]) -> None:
    """Refuse missing, empty or unlabelled splits, and training data of one class only."""
    _check_present(splits, needed)
    _warn_of_look_alikes(splits)
    for name in needed:
        unlabelled = sum(labels is None for labels in splits[name]["labels"])
        if unlabelled:
            raise UserError(
                f"{unlabelled} of {len(splits[name])} examples of the {name} split have no label. "
                f"Choose a labelled split with data.splits.{name}=NAME, or null to split one off."
            )
    if "train" in needed:
        _check_columns(splits["train"], check_classes(splits["train"]))


def check_classes(rows: Dataset) -> int:
    """Count the classes of rows; refuse a single one: there is nothing to learn."""
    classes = {name for labels in rows["labels"] for name in labels or ()}
    if len(classes) < 2:
        raise UserError(
            f"The train split has one class only ({', '.join(classes) or 'none'}): training needs "
            "at least 2. Check data.columns.label and data.splits.train."
        )
    return len(classes)


def _check_columns(rows: Dataset, classes: int) -> None:
    """Refuse texts that repeat where their labels do not; warn where hardly a label does."""
    if classes * 2 <= len(rows):
        return
    texts = len(set(rows["text"]))
    found = f"The train split has {classes:,} classes for {texts:,} different texts"
    if classes > texts:
        raise UserError(
            f"{found}: the column of the texts seems to be read as the labels, and the other way "
            "round. Name them with data.columns.text=COLUMN and data.columns.label=COLUMN."
        )
    log.warning("%s, under 2 examples a class. Is data.columns.label the right one?", found)


def _warn_of_look_alikes(splits: Splits) -> None:
    """Name labels that look the same: nobody sees that they are learned as different ones."""
    for group in alike(splits.labels, look):
        log.warning(
            "The labels %s look the same, and are learned as different ones. Write them one way.",
            told_apart(group),
        )


def _check_present(splits: Splits, needed: tuple[str, ...]) -> None:
    for name in needed:
        if name not in splits:
            raise UserError(
                f"The data has no {name} split ({', '.join(splits) or 'none'}). "
                f"Give it with data.splits.{name}=NAME."
            )
        if len(splits[name]) == 0:
            raise UserError(f"The {name} split is empty. Check data.splits.{name}.")
