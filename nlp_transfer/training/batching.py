"""Window lengths in, batches of a token budget out: the same global batches on any number of
processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Sampler

_BUCKET_GROWTH = 1.08  # windows whose lengths differ by less are shuffled together


class TokenBatchSampler(Sampler[list[int]]):
    """Batches of windows of like length, in random order, one share of each for this process.

    A global batch is one optimizer step. Its padded size stays within `tokens_per_batch`, unless a
    single window is longer than that. It is dealt out to `processes * accumulation` shares of
    equal number on every process; a share that comes out empty gets a filler, which is an index
    below zero: `~index` is a window whose labels must be ignored.

    The batches of an epoch depend on the seed and the epoch alone, and their number is the same
    in every epoch, so a run can go on in mid-epoch.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        *,
        tokens_per_batch: int,
        seed: int,
        processes: int = 1,
        rank: int = 0,
        accumulation: int = 1,
        weights: Sequence[float] | None = None,
    ) -> None:
        """weights: draw with replacement by them, among windows of like length; None: draw all."""
        self._seed = seed
        self._shares = processes * accumulation
        self._mine = range(rank * accumulation, (rank + 1) * accumulation)
        self._epoch = 0
        sizes = np.asarray(lengths, dtype=np.int64)
        buckets = _bucket_bounds(int(sizes.max(initial=1)))
        self._bucket = np.searchsorted(buckets, sizes)
        # Longest first: a batch that does not fit is met in the first step, not in the last.
        self._order = np.argsort(-self._bucket, kind="stable")
        self._weights = None if weights is None else np.asarray(weights, dtype=np.float64)
        self._ends = _batch_ends(buckets[self._bucket[self._order]], tokens_per_batch)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose batches are drawn next; the Trainer calls it."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._ends) * len(self._mine)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.global_batches(self._epoch):
            for share in self._mine:
                yield batch[share :: self._shares] or [~batch[0]]

    def global_batches(self, epoch: int) -> list[list[int]]:
        """List the window indexes of every step of an epoch."""
        random = np.random.default_rng((self._seed, epoch))
        shuffled = self._order[
            np.lexsort((random.random(len(self._order)), -self._bucket[self._order]))
        ]
        if self._weights is not None:
            shuffled = self._drawn(shuffled, random)
        batches = np.split(shuffled, self._ends[:-1])
        return [batches[i].tolist() for i in random.permutation(len(batches))]

    def _drawn(self, shuffled: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Put windows drawn by weight from the same bucket in the places of all."""
        assert self._weights is not None
        bounds = np.flatnonzero(np.diff(self._bucket[shuffled])) + 1
        parts = []
        for bucket in np.split(shuffled, bounds):
            chances = self._weights[bucket] / self._weights[bucket].sum()
            parts.append(random.choice(bucket, size=len(bucket), p=chances))
        return np.concatenate(parts)


def _bucket_bounds(longest: int) -> np.ndarray:
    """List the upper lengths of the buckets, each a little longer than the one before."""
    bounds = [1]
    while bounds[-1] < longest:
        bounds.append(max(bounds[-1] + 1, int(bounds[-1] * _BUCKET_GROWTH)))
    return np.array(bounds)


def _batch_ends(lengths: np.ndarray, tokens: int) -> list[int]:
    """Cut lengths in falling order into batches; return where each batch ends."""
    ends = []
    start = 0
    while start < len(lengths):
        start += max(1, tokens // int(lengths[start]))
        ends.append(min(start, len(lengths)))
    return ends


class EpochDataLoader(torch.utils.data.DataLoader[list[int]]):
    """A DataLoader that tells its batch sampler the epoch, as the Trainer expects.

    A data set whose windows change from epoch to epoch is told too.
    """

    def set_epoch(self, epoch: int) -> None:
        """Pass the epoch on."""
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)
        sampler = self.batch_sampler
        assert isinstance(sampler, TokenBatchSampler)
        sampler.set_epoch(epoch)
