"""A model in, the same model for a while, whose dropout of a row does not depend on other rows.

PyTorch draws dropout for a batch as a whole, one value after another: what a window gets depends on
the windows that are computed with it, on their length, and so on the number of processes. Here each
vector of a row (a piece's hidden state, a query's shares of attention) gets a slice of a table of
noise, which starts where a hash of the call, the row and the vector's place says. Only the table is
drawn value by value, so this is faster too: docs/performance.md.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from nlp_transfer.models.fast_cpu import attending_by

_BITS = 21
_STARTS = 2**_BITS
"""Places of the table that a slice may start at."""
_WIDEST = 2**15
"""Values of the longest slice."""
_FACTORS = (0x1E3779B97F4A7C15, 0x3F58476D1CE4E5B9)
"""Odd numbers of 62 bits, half of them set."""
_ROWS_SECOND = ("xlnet",)
"""Types of models whose hidden states are (pieces, rows, hidden)."""


class RowDropout:
    """What dropout is drawn from: the rows that a model computes, and the noise of a seed.

    Each call of dropout has a key, which is drawn from PyTorch's generator and is one for all rows.
    With the same seed before it, a model draws the same again for the same rows, in whatever parts
    they are computed. Gradient checkpointing, which computes layers twice, sees to that itself.
    """

    def __init__(self, seed: int, *, rows_second: bool = False) -> None:
        """rows_second: hidden states are (pieces, rows, hidden), not (rows, pieces, hidden)."""
        self._seed = seed
        self._rows_second = rows_second
        self._rows: torch.Tensor | None = None
        self._packed: tuple[torch.Tensor, torch.Tensor] | None = None
        self._tables: dict[tuple[float, torch.dtype], torch.Tensor] = {}

    def compute(self, rows: torch.Tensor | None, mask: torch.Tensor | None = None) -> None:
        """Say which rows the model computes from here on; None: leave dropout to PyTorch.

        rows: (rows,) integers that tell them apart; a second one of the same is another row
        mask: (rows, places), 1 at those that layers compute, where they compute them as one row
        """
        if rows is not None:
            earlier = (rows[:, None] == rows).tril(-1).sum(-1)
            rows = rows + earlier * 2**32
        self._rows, self._packed = rows, None
        if rows is not None and mask is not None:
            row, place = mask.nonzero(as_tuple=True)
            self._packed = rows[row], place

    def draws_for(self, values: torch.Tensor, p: float) -> bool:
        """Tell whether dropout of these values is drawn here."""
        is_known = self._rows is not None and values.device.type == "cpu" and 0 < p < 1
        return is_known and values.dim() > 0 and values.shape[-1] <= _WIDEST

    def scales(self, values: torch.Tensor, p: float) -> torch.Tensor:
        """Return 0 with probability p, else 1 / (1 - p), for each of the values.

        values: with rows along an axis; those that have none get the same for all rows
        """
        starts = self._starts(values.shape[:-1])
        slices = self._table(p, values.dtype).as_strided((_STARTS, values.shape[-1]), (1, 1))
        return slices.index_select(0, starts.flatten()).view(values.shape)

    def _starts(self, shape: torch.Size) -> torch.Tensor:
        """Return where in the table the slice of each vector starts.

        shape: of the vectors, and of what is returned
        """
        hashed = torch.empty((), dtype=torch.int64).random_(-(2**63), None)
        if self._packed is not None and shape == (1, len(self._packed[0])):
            for places in self._packed:  # of each vector, not along an axis
                hashed = _mixed(hashed + places)
        else:
            for places in self._places(shape):
                hashed = _mixed(hashed.unsqueeze(-1) + places)
        # The higher a bit of a product, the more bits of its factors it depends on.
        return hashed.bitwise_right_shift_(64 - _BITS).bitwise_and_(_STARTS - 1).view(shape)

    def _places(self, shape: torch.Size) -> list[torch.Tensor]:
        """Number the places along each axis; along that of the rows by the rows' own numbers."""
        assert self._rows is not None
        count = len(self._rows)
        axes = [torch.arange(size) for size in shape]
        axis = 1 if self._rows_second and len(shape) == 2 else 0
        if len(shape) > axis and shape[axis] == count:
            axes[axis] = self._rows
        elif len(shape) == 2 and shape[0] % count == 0:  # the heads of a row, one after another
            axes[:1] = [self._rows, torch.arange(shape[0] // count)]
        return axes

    def _table(self, p: float, dtype: torch.dtype) -> torch.Tensor:
        """Return the noise: every slice that starts at its first places is within it."""
        if (p, dtype) not in self._tables:
            table = _kept(self._seed, p).to(dtype).div_(1 - p)
            self._tables[p, dtype] = torch.cat([table, table[:_WIDEST]])
        return self._tables[p, dtype]


@functools.lru_cache(maxsize=4)
def _kept(seed: int, p: float) -> torch.Tensor:
    """Draw which values of a table are not dropped: all but an exact share of p.

    The draw takes as long as a short run's first ten steps, and the runs of a study, the rounds
    before a run and all that a test does have one seed: 2 MB each are kept of the last four.
    """
    generator = torch.Generator().manual_seed(seed)
    kept: torch.Tensor = torch.randperm(_STARTS, generator=generator) >= round(p * _STARTS)
    return kept


def _mixed(numbers: torch.Tensor) -> torch.Tensor:
    """Mix the bits of integers, in place, so that the high ones of near numbers are unlike."""
    numbers.mul_(_FACTORS[0])
    return numbers.bitwise_xor_(numbers >> 32).mul_(_FACTORS[1])


@contextlib.contextmanager
def dropout_by_row(model: PreTrainedModel, seed: int) -> Iterator[RowDropout]:
    """Let a model that learns on a CPU draw its dropout row by row, when it is told the rows.

    Modules, attention and adapters all call torch.nn.functional.dropout, which is another one in
    the block. Only PyTorch's fused attention draws by itself: that of transformers takes its place.

    yields: what is to be told the rows of each batch
    """
    rows = RowDropout(seed, rows_second=model.config.model_type in _ROWS_SECOND)
    by_batch = functional.dropout

    def dropout(
        input: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> torch.Tensor:
        if not training or not rows.draws_for(input, p):
            return by_batch(input, p, training, inplace)
        scales = rows.scales(input, p)
        return input.mul_(scales) if inplace else input * scales

    functional.dropout = dropout
    try:
        with attending_by(model, "eager"):
            yield rows
    finally:
        functional.dropout = by_batch
