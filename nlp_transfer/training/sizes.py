"""Tokenized tasks in; how much there is to read, and what of it was lost, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from nlp_transfer.data.raw_words import RawWords
from nlp_transfer.records import EncodedSplit, LossLedger
from nlp_transfer.tasks.base import Task
from nlp_transfer.training.examples import TaskWindows
from nlp_transfer.training.prepared import prepared_folder


@dataclass(frozen=True)
class SplitSizes:
    """What a split holds; lengths are in pieces."""

    ledger: LossLedger
    pieces: int
    median_window: int
    longest_window: int


@dataclass(frozen=True)
class DataSizes:
    """What the data of a task hold as its model reads them."""

    recipe: str
    task: Task
    labels: tuple[str, ...]
    splits: Mapping[str, SplitSizes]
    words: RawWords | None
    """How raw text is split for the model."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """Where the tokenized splits are kept, if they are."""
    tasks: Mapping[str, DataSizes] = field(default_factory=dict)
    """Other tasks that learn along, by name."""

    def as_dict(self) -> dict[str, Any]:
        more: dict[str, Any] = {
            "words": self.words and self.words.as_dict(),
            "folders": self.folders,
            "tasks": {name: sizes.as_dict() for name, sizes in self.tasks.items()},
        }
        return {
            "recipe": self.recipe,
            "task": self.task.name,
            "labels": list(self.labels),
            "splits": {name: asdict(split) for name, split in self.splits.items()},
            **{name: value for name, value in more.items() if value},
        }


def data_sizes(tasks: Sequence[TaskWindows], *, kept: bool = False) -> DataSizes:
    """Measure the recipe's own task, and those that learn along with it.

    kept: the tokenized splits are on disk
    """
    own, *others = (_sizes(task, kept=kept) for task in tasks)
    names = [task.planned.name for task in tasks[1:]]
    return replace(own, tasks=dict(zip(names, others, strict=True)))


def _sizes(task: TaskWindows, *, kept: bool) -> DataSizes:
    folders = {
        split: str(prepared_folder(task.recipe, task.splits, split, task.loaded))
        for split in (task.data if kept else ())
    }
    return DataSizes(
        task.recipe.name,
        task.recipe.task,
        task.splits.labels,
        {split: _split_sizes(data.encoded) for split, data in task.data.items()},
        task.raw_words,
        folders,
    )


def _split_sizes(encoded: EncodedSplit) -> SplitSizes:
    lengths = np.array(encoded.lengths)
    return SplitSizes(
        encoded.ledger, int(lengths.sum()), int(np.median(lengths)), int(lengths.max())
    )
