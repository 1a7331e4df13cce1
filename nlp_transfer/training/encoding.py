"""The rows of a split in, its windows out, by one process or several."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import reduce
from itertools import pairwise
from operator import add

from datasets import Dataset, concatenate_datasets
from transformers import PreTrainedTokenizerBase

from nlp_transfer.data.arrow_tables import iterate, number_lists
from nlp_transfer.errors import UserError
from nlp_transfer.models.build import LoadedModel
from nlp_transfer.processes.scratch import scratch_folder
from nlp_transfer.recipe import ModelSection
from nlp_transfer.records import EncodedSplit, LossLedger
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.faces import WindowRow

_LEAST_ROWS = 1000
"""A process that encodes fewer costs more to start than it saves."""


def encode(
    task: Task, rows: Dataset, loaded: LoadedModel, options: ModelSection, *, processes: int = 1
) -> EncodedSplit:
    """Encode a split; the result is the same for any number of processes."""
    bounds = _bounds(rows, min(processes, len(rows) // _LEAST_ROWS))
    shared = (task, loaded.tokenizer, loaded.model.config.label2id, options, scratch_folder())
    if len(bounds) <= 2:
        return _encode_part(*shared, rows, 0)
    parts = [(*shared, rows.select(range(*ends)), ends[0]) for ends in pairwise(bounds)]
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
    tokenizer: PreTrainedTokenizerBase,
    label_ids: Mapping[str, int],
    options: ModelSection,
    folder: str,
    rows: Dataset,
    first: int,
) -> EncodedSplit:
    """Encode rows into a table of windows, with their ledger.

    folder: where the table lies
    first:  number of the first row in its split
    """
    ledger = LossLedger()

    def windows() -> Iterator[WindowRow]:
        nonlocal ledger
        encoded = task.windows.encode(iterate(rows), tokenizer, label_ids, options)
        for example, (own, losses) in enumerate(encoded, start=first):
            ledger += losses
            yield from ({"example": example, **window} for window in own)

    table = number_lists(windows(), folder=folder)
    if not len(table):
        raise UserError("No example has a word to read. Check data.columns.")
    return EncodedSplit(table, ledger)


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
