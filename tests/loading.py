"""The rows of a task, loaded as a recipe loads them, for tests of what data comes in."""

from __future__ import annotations

from nlp_transfer.recipe import DataSection
from nlp_transfer.records import Splits
from nlp_transfer.tasks.classification.rows import ClassificationRows
from nlp_transfer.tasks.ner.rows import NerRows


def load_ner(
    data: DataSection, *, types: tuple[str, ...] | None = None, held_out: bool = True
) -> Splits:
    return NerRows(types).load(data, held_out=held_out)


def load_classification(
    data: DataSection,
    *,
    classes: tuple[str, ...] | None = None,
    multi_label: bool = False,
    held_out: bool = True,
) -> Splits:
    return ClassificationRows(classes, multi_label).load(data, held_out=held_out)
