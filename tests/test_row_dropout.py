"""Dropout of a row is drawn by the seed, the call and the row: whatever is computed with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import FAMILIES, RARE_FAMILIES
from torch import nn
from torch.nn import functional
from transformers import AutoModel, BertConfig, BertModel, PreTrainedModel

from nlp_transfer.models.fast_cpu import sped_up
from nlp_transfer.models.readout import add_readout
from nlp_transfer.models.row_dropout import RowDropout, dropout_by_row

pytestmark = pytest.mark.usefixtures("one_thread")

LENGTHS = torch.tensor([9, 26, 40, 17, 26])
IDS = torch.randint(5, 100, (5, 40), generator=torch.Generator().manual_seed(0))
PLACES = torch.tensor([4, 0, 31, 2, 7])

# What these compute of a window depends on the padding beside it without dropout, too.
SEES_PADDING = ("nystromformer",)
# Most families drop values by default.
RATES = {
    "modernbert": {"attention_dropout": 0.2, "embedding_dropout": 0.2, "mlp_dropout": 0.2},
    "albert": {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.2},
}
MODEL = BertModel(BertConfig(vocab_size=5, hidden_size=8, num_attention_heads=1))


@pytest.fixture
def by_row() -> Iterator[RowDropout]:
    with dropout_by_row(MODEL, seed=1) as rows:
        yield rows


def _states(
    model: nn.Module, rows: RowDropout, chosen: Sequence[int], seed: int = 3
) -> list[torch.Tensor]:
    """Compute some of the windows, no longer than they are, and return what is no padding."""
    longest = int(LENGTHS[chosen].max())
    mask = (torch.arange(longest) < LENGTHS[chosen, None]).long()
    rows.compute(PLACES[chosen])
    torch.manual_seed(seed)
    states = model(input_ids=IDS[chosen, :longest], attention_mask=mask).last_hidden_state
    return [row[:length] for row, length in zip(states, LENGTHS[chosen].tolist(), strict=True)]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("family", sorted({*FAMILIES, *RARE_FAMILIES} - {*SEES_PADDING}))
def test_every_family_computes_a_window_alone_as_among_others(
    family: str, fast: bool, checkpoint: Callable[..., Path]
) -> None:
    folder = checkpoint(family, **RATES.get(family, {}))
    _check_alone_as_among_others(AutoModel.from_pretrained(folder, dtype="float32"), fast=fast)


@pytest.mark.parametrize("family", ["bert", "distilbert", "electra"])
def test_a_readout_computes_a_window_alone_as_among_others(
    family: str, checkpoint: Callable[..., Path]
) -> None:
    model = AutoModel.from_pretrained(checkpoint(family), dtype="float32")
    assert add_readout(model)
    _check_alone_as_among_others(model, fast=True)


def _check_alone_as_among_others(model: PreTrainedModel, *, fast: bool) -> None:
    model.train()
    with sped_up(model, enabled=fast), dropout_by_row(model, seed=1) as rows:
        together = _states(model, rows, range(5))
        apart = [_states(model, rows, part) for part in ([0], [4, 1], [2, 3])]
        others = _states(model, rows, range(5), seed=4)
    (first,), (fifth, second), (third, fourth) = apart
    for state, alone in zip(together, (first, second, third, fourth, fifth), strict=True):
        torch.testing.assert_close(alone, state, atol=1e-5, rtol=0)
    assert (together[2] - others[2]).abs().max() > 0.01


@pytest.mark.parametrize(
    ("p", "shape"),
    [(0.1, (40, 30, 64)), (0.02, (40, 4, 25, 25)), (0.5, (40, 4, 25, 25)), (0.9, (1500, 64))],
    ids=str,
)
def test_values_are_dropped_with_the_probability_and_the_others_scaled(
    p: float, shape: tuple[int, ...], by_row: RowDropout
) -> None:
    by_row.compute(torch.arange(shape[0]))
    dropped = torch.stack([functional.dropout(torch.ones(shape), p) for _ in range(30)])
    assert dropped[dropped != 0].allclose(torch.tensor(1 / (1 - p)), rtol=1e-6)
    lost = (dropped == 0).float()

    def deviations(means: torch.Tensor) -> float:
        number = lost.numel() / means.numel()
        return float((means - p).abs().max() / math.sqrt(p * (1 - p) / number))

    assert deviations(lost.mean()) < 5
    for axis in range(lost.dim()):  # no call, row, head, piece or value loses more than others
        assert deviations(lost.transpose(0, axis).flatten(1).mean(1)) < 6


def _correlation(one: torch.Tensor, two: torch.Tensor) -> float:
    """Return Pearson's, in deviations from 0 of what has nothing in common."""
    a, b = (values.flatten().double() - values.double().mean() for values in (one, two))
    return float((a @ b) / (a.norm() * b.norm())) * math.sqrt(a.numel())


@pytest.mark.parametrize("shape", [(20, 30, 64), (20, 8, 25, 25)], ids=str)
def test_masks_of_calls_rows_steps_and_seeds_have_nothing_in_common(
    shape: tuple[int, ...],
) -> None:
    def calls(seed: int, step: int) -> list[torch.Tensor]:
        with dropout_by_row(MODEL, seed=seed) as rows:
            rows.compute(torch.arange(shape[0]))
            torch.manual_seed(step)
            return [functional.dropout(torch.ones(shape), 0.3) for _ in range(3)]

    masks = [*calls(1, 0), *calls(1, 1), *calls(1, 2), *calls(2, 0)]
    found = [
        _correlation(masks[one], masks[two]) for one in range(len(masks)) for two in range(one)
    ]
    found += [  # of rows, heads, pieces and values with those near them
        _correlation(masks[0], masks[0].roll(shift, axis))
        for axis in range(len(shape))
        for shift in range(1, 6)
    ]
    assert np.abs(found).max() < 5
    assert 0.6 < np.std(found) < 1.4  # as far from 0 as chance is, and no nearer


def test_vectors_rarely_begin_at_the_same_noise(by_row: RowDropout) -> None:
    by_row.compute(torch.arange(40))
    masks = torch.stack([functional.dropout(torch.ones(40, 4, 25, 64), 0.5) for _ in range(10)])
    vectors = masks.view(-1, 64)
    same = len(vectors) - len(vectors.unique(dim=0))
    chance = len(vectors) ** 2 / 2 / 2**21  # 381 pairs
    assert same < chance + 6 * math.sqrt(chance)


def test_a_draw_is_of_the_generator_and_idle_in_evaluation(by_row: RowDropout) -> None:
    dropout = nn.Dropout(0.3)
    values = torch.randn(7, 5, 16, dtype=torch.bfloat16)
    by_row.compute(torch.arange(7))
    torch.manual_seed(3)
    first = dropout(values)
    torch.manual_seed(3)
    assert dropout(values).equal(first)
    assert not dropout(values).equal(first)
    assert first.dtype == values.dtype
    assert dropout.eval()(values).equal(values)
    assert nn.Dropout(1.0)(values).count_nonzero() == 0


def test_the_second_row_of_a_number_is_another_row(by_row: RowDropout) -> None:
    values = torch.ones(3, 4, 50)

    def drawn(rows: list[int]) -> list[torch.Tensor]:
        by_row.compute(torch.tensor(rows))
        torch.manual_seed(0)
        return list(functional.dropout(values[: len(rows)], 0.5))

    (alone,), (first, second, other) = drawn([8]), drawn([8, 8, 9])
    assert first.equal(alone)
    assert not second.equal(first)
    assert not other.equal(first)


def test_values_without_rows_are_dropped_alike_for_all(by_row: RowDropout) -> None:
    """DeBERTa drops values of its table of relative positions."""
    drawn: list[torch.Tensor] = []
    for rows in ([5, 6, 7], [9]):
        by_row.compute(torch.tensor(rows))
        torch.manual_seed(0)
        drawn.append(functional.dropout(torch.ones(32, 50), 0.5))
    assert drawn[0].equal(drawn[1])


def test_gradient_is_of_what_was_kept_in_place_or_not(by_row: RowDropout) -> None:
    by_row.compute(torch.arange(8))
    for inplace in (False, True):
        values = torch.randn(8, 40, requires_grad=True)
        dropped = functional.dropout(values * 1, 0.4, inplace=inplace)
        dropped.sum().backward()
        assert values.grad is not None
        torch.testing.assert_close(values.grad, (dropped / values).detach())


def test_everything_is_as_it_was_after_the_block() -> None:
    def found() -> tuple[Any, str]:
        return functional.dropout, MODEL.config._attn_implementation

    before = found()
    with pytest.raises(KeyboardInterrupt), dropout_by_row(MODEL, seed=1):  # noqa: PT012
        inside = found()
        raise KeyboardInterrupt
    assert found() == before
    assert inside[0] != before[0]
    assert inside[1] != before[1]
