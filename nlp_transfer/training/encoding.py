"""The rows of a split in, its windows out, by one process or several."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import reduce
from itertools import pairwise
from operator import add
from types import SimpleNamespace
from typing import Any

from datasets import Dataset, concatenate_datasets

from nlp_transfer.data.tables import scratch_folder
from nlp_transfer.recipe import ModelSection
from nlp_transfer.records import EncodedSplit
from nlp_transfer.tasks.base import LoadedModel, Task

_LEAST_ROWS = 1000
"""A process that encodes fewer costs more to start than it saves."""


def encode(
    task: Task, rows: Dataset, loaded: LoadedModel, options: ModelSection, *, processes: int = 1
) -> EncodedSplit:
    """Encode a split; the result is the same for any number of processes."""
    bounds = _bounds(rows, min(processes, len(rows) // _LEAST_ROWS))
    if len(bounds) <= 2:
        return task.encode(rows, loaded, options)
    # Weights are not needed to encode, and sending them would take longer than the work.
    config_only: Any = SimpleNamespace(config=loaded.model.config)
    light = replace(loaded, model=config_only)
    parts = [
        (task, rows.select(range(start, end)), light, options, scratch_folder(), start)
        for start, end in pairwise(bounds)
    ]
    with ProcessPoolExecutor(
        len(parts), multiprocessing.get_context("spawn"), initializer=_one_thread
    ) as pool:
        encoded = list(pool.map(_encode_part, *zip(*parts, strict=True)))
    return EncodedSplit(
        concatenate_datasets([part.windows for part in encoded]),
        reduce(add, (part.ledger for part in encoded)),
    )


def _one_thread() -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def _encode_part(
    task: Task,
    rows: Dataset,
    loaded: LoadedModel,
    options: ModelSection,
    folder: str,
    start: int,
) -> EncodedSplit:
    return task.encode(rows, loaded, options, folder=folder, first_example=start)


def _bounds(rows: Dataset, parts: int) -> list[int]:
    """Cut a split between documents, whose sentences may be each other's context."""
    if parts < 2:
        return [0, len(rows)]
    documents = rows["document"]
    bounds = [0]
    for part in range(1, parts):
        start = max(bounds[-1], len(rows) * part // parts)
        while (
            start < len(rows)
            and documents[start] is not None
            and (documents[start] == documents[start - 1])
        ):
            start += 1
        bounds.append(start)
    return list(dict.fromkeys([*bounds, len(rows)]))
