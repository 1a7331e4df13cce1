"""Window lengths in, batches of a token budget out: the same global batches on any number of
processes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np
import torch
from datasets import Dataset
from torch.utils.data import Sampler

from nlp_transfer.tasks.faces import WindowRow
from nlp_transfer.tasks.objective import IGNORED

_BUCKET_GROWTH = 1.08  # windows whose lengths differ by less are shuffled together


class TrainingWindows(torch.utils.data.Dataset[WindowRow]):
    """Windows of all tasks by number; `~number` is the same window with its labels ignored."""

    def __init__(self, windows: Sequence[Dataset]) -> None:
        """windows: of each task, the recipe's own first"""
        self._windows = windows
        self._starts = [0, *accumulate(len(own) for own in windows)]

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, number: int) -> WindowRow:
        if number >= 0:
            task = bisect_right(self._starts, number) - 1
            row = self._windows[task][number - self._starts[task]]
            return {**row, "window": number, "task": task}
        row = self[~number]
        return {**row, "labels": [IGNORED] * len(row["labels"])}


class TokenBatchSampler(Sampler[list[int]]):
    """Batches of windows of like length, in random order, one share of each for this process.

    A global batch is one optimizer step. Its windows are of one task, and its padded size stays
    within `tokens_per_batch`, unless a single window is longer than that. It is dealt out to
    `processes * accumulation` shares of equal number on every process; a share that comes out empty
    gets a filler, which is an index below zero: `~index` is a window whose labels must be ignored.

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
        tasks: Sequence[int] | None = None,
        temperature: float = 1.0,
    ) -> None:
        """Cut the windows into batches.

        weights:     draw with replacement by them, among windows of like length; None: draw all
        tasks:       number of the task of each window; None: there is one
        temperature: above 1, small tasks have more batches than they fill, and large ones fewer
        """
        self._seed = seed
        self._shares = processes * accumulation
        self._mine = range(rank * accumulation, (rank + 1) * accumulation)
        self._epoch = 0
        self.largest_first = False
        """Whether the first epoch begins with the batches that take most memory."""
        self._sizes = sizes = np.asarray(lengths, dtype=np.int64)
        buckets = _bucket_bounds(int(sizes.max(initial=1)))
        bucket = np.searchsorted(buckets, sizes)
        task = np.zeros_like(sizes) if tasks is None else np.asarray(tasks)
        # Windows of one task and of like length, the longest first.
        self._group = (task + 1) * len(buckets) - bucket
        self._order = np.argsort(self._group, kind="stable")
        self._weights = None if weights is None else np.asarray(weights, dtype=np.float64)
        self._ends = _batch_ends(buckets[bucket[self._order]], task[self._order], tokens_per_batch)
        self._task = task[self._order][np.array(self._ends, dtype=np.int64) - 1]
        self._counts = _batch_counts(self._task, temperature)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose batches are drawn next; the Trainer calls it."""
        self._epoch = epoch

    def __len__(self) -> int:
        return sum(self._counts.values()) * len(self._mine)

    def accumulation_for(self, tokens: int, processes: int) -> int:
        """Count the shares of a step that each process needs to compute so many pieces at a time.

        tokens: padding included; a single window may be longer
        """
        starts = np.array([0, *self._ends[:-1]])
        windows = np.diff([*starts, len(self._sizes)])
        longest = np.maximum.reduceat(self._sizes[self._order], starts)
        at_once = np.maximum(1, tokens // longest)
        return int(np.max(-(-windows // (at_once * processes))))

    @property
    def pieces_an_epoch(self) -> float:
        """Pieces in an epoch of all processes, without padding; a mean where some are drawn."""
        pieces = np.add.reduceat(self._sizes[self._order], [0, *self._ends[:-1]])
        means = {task: pieces[self._task == task].mean() for task in self._counts}
        return float(sum(count * means[task] for task, count in self._counts.items()))

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._steps(self._epoch):
            for share in self._mine:
                yield batch[share :: self._shares] or [~batch[0]]

    def padded_pieces(self, epoch: int) -> list[int]:
        """Count the pieces of every step of an epoch, padding included, in their order."""
        return [len(batch) * self._longest(batch) for batch in self._steps(epoch)]

    def _steps(self, epoch: int) -> list[list[int]]:
        batches = self.global_batches(epoch)
        if not self.largest_first or epoch:
            return batches
        longest = max(batches, key=lambda batch: (self._longest(batch), len(batch)))
        fullest = max(batches, key=lambda batch: (len(batch) * self._longest(batch), len(batch)))
        first = [longest] if fullest is longest else [longest, fullest]
        return [*first, *(b for b in batches if b is not longest and b is not fullest)]

    def _longest(self, batch: list[int]) -> int:
        return int(self._sizes[batch].max())

    def global_batches(self, epoch: int) -> list[list[int]]:
        """List the window indexes of every step of an epoch."""
        random = np.random.default_rng((self._seed, epoch))
        shuffled = self._order[
            np.lexsort((random.random(len(self._order)), self._group[self._order]))
        ]
        if self._weights is not None:
            shuffled = self._drawn(shuffled, random)
        batches = np.split(shuffled, self._ends[:-1])
        return [batches[i].tolist() for i in self._drawn_batches(random)]

    def _drawn_batches(self, random: np.random.Generator) -> np.ndarray:
        """Draw as many batches of each task as an epoch has of it; all once before any again."""
        drawn = []
        for task, count in self._counts.items():
            own = np.flatnonzero(self._task == task)
            rounds = [random.permutation(own) for _ in range(-(-count // len(own)))]
            drawn.append(np.concatenate(rounds)[:count])
        return drawn[0] if len(drawn) == 1 else random.permutation(np.concatenate(drawn))

    def _drawn(self, shuffled: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Put windows drawn by weight from the same group in the places of all."""
        assert self._weights is not None
        bounds = np.flatnonzero(np.diff(self._group[shuffled])) + 1
        parts = []
        for group in np.split(shuffled, bounds):
            chances = self._weights[group] / self._weights[group].sum()
            parts.append(random.choice(group, size=len(group), p=chances))
        return np.concatenate(parts)


def _bucket_bounds(longest: int) -> np.ndarray:
    """List the upper lengths of the buckets, each a little longer than the one before."""
    bounds = [1]
    while bounds[-1] < longest:
        bounds.append(max(bounds[-1] + 1, int(bounds[-1] * _BUCKET_GROWTH)))
    return np.array(bounds)


def _batch_ends(lengths: np.ndarray, tasks: np.ndarray, tokens: int) -> list[int]:
    """Cut windows into batches of one task each; return where each batch ends.

    lengths: of the windows, falling within a task
    """
    ends: list[int] = []
    start = 0
    for end_of_task in [*(np.flatnonzero(np.diff(tasks)) + 1).tolist(), len(lengths)]:
        while start < end_of_task:
            start = min(start + max(1, tokens // int(lengths[start])), end_of_task)
            ends.append(start)
    return ends


def _batch_counts(tasks: np.ndarray, temperature: float) -> dict[int, int]:
    """Count the batches that an epoch has of each task.

    tasks: of each batch; an epoch has as many as these, to rounding, and one of each task
    """
    numbers, sizes = np.unique(tasks, return_counts=True)
    shares = sizes ** (1 / temperature)
    counts = np.maximum(1, np.rint(len(tasks) * shares / shares.sum()).astype(int))
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


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
