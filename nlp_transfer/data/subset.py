"""A training split in, so many of its examples out: fewer are always some of more."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)


def draw(rows: Dataset, count: int, *, content: Sequence[str], whole_documents: bool) -> Dataset:
    """Draw examples of a training split at random; no seed has a part in it.

    Which come first is decided by hashes of what they hold, so that the same rows give the same
    examples from files of any format, and of twice as many rows those drawn before are drawn again.

    count:           how many; fewer are some of more
    content:         the columns that say what an example is, not where it is from
    whole_documents: draw document after document, the last one cut: where examples are read with
                     those around them, others must not come to stand there
    returns:         the examples in their first order
    """
    ranks = np.fromiter(_ranks(rows, content), np.uint64, len(rows))
    if whole_documents:
        ranks = ranks[list(_starts(rows["document"]))]
    log.info("train: learns from %d of its %d examples (data.train_examples)", count, len(rows))
    return rows.select(np.sort(np.argsort(ranks, kind="stable")[:count]))


def check_enough(rows: Dataset, count: int, *, split_off: int = 0) -> None:
    """Refuse to draw more examples than there are.

    split_off: examples that other splits have got of them
    """
    if count > len(rows):
        without = f" without the {split_off:,} that are split off from it" if split_off else ""
        raise UserError(
            f"data.train_examples: the train split has {len(rows):,} examples{without}, {count:,} "
            f"are asked for. Name at most {len(rows)}, or null for all."
        )


def _ranks(rows: Dataset, content: Sequence[str]) -> Iterator[int]:
    """Hash each row's content, and how many of the same came before: copies are drawn apart."""
    met: Counter[bytes] = Counter()
    for row in iterate(rows, list(content)):
        text = json.dumps(row, ensure_ascii=False, sort_keys=True)
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        yield int.from_bytes(blake2b(b"%b %d" % (key, met[key]), digest_size=8).digest(), "big")
        met[key] += 1


def _starts(documents: Sequence[str | None]) -> Iterator[int]:
    """Yield for each row the first one of its document; a row without one stands alone."""
    for document, group in groupby(range(len(documents)), key=documents.__getitem__):
        numbers = list(group)
        yield from numbers if document is None else [numbers[0]] * len(numbers)
