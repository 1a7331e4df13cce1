"""Sets of labels that hold the right one as often as is asked."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nlp_transfer.metrics.conformal import MOST, Surprises

figures = st.lists(st.floats(0, 50), min_size=1, max_size=40, unique_by=lambda s: round(s, 2))
coverages = st.floats(0.05, 0.99)


def asked(texts, coverage):
    """Count the texts that have to be in their sets."""
    return max(1, math.ceil(texts * coverage - 1e-9))


@given(figures, coverages)
def test_of_exchangeable_texts_as_many_as_asked_are_in_their_sets(found, coverage):
    """Each in turn is the new text and the others are validation: every draw is as likely."""
    if asked(len(found), coverage) >= len(found):
        return
    inside = [
        value <= Surprises.of(found[:i] + found[i + 1 :]).bound(coverage)
        for i, value in enumerate(found)
    ]
    assert sum(inside) == asked(len(found), coverage)


@given(st.integers(1, 5 * MOST), coverages, st.integers(0, 2**32 - 1))
def test_bounded_figures_never_promise_too_much_and_give_little_more(texts, coverage, seed):
    found = np.random.default_rng(seed).random(texts) * 9
    kept = Surprises.of(found)
    assert len(kept.kept) <= MOST
    assert kept.allows(coverage) == (asked(texts + 1, coverage) <= texts)
    if not kept.allows(coverage):
        return
    inside = int((found <= kept.bound(coverage)).sum())
    assert asked(texts + 1, coverage) <= inside <= asked(texts + 1, coverage) + texts / MOST + 1
    assert Surprises.model_validate_json(kept.model_dump_json()) == kept


def test_the_interval_holds_the_share_of_right_sets_in_95_of_100_splits():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        kept = Surprises.of(rng.random(200))
        low, high = kept.interval95(0.9)
        held += low <= kept.bound(0.9) <= high  # of uniform figures the bound is the share
    assert 0.92 <= held / 400 <= 0.98


@pytest.mark.parametrize(
    "damaged",
    [
        {"texts": 2},
        {"texts": 2, "kept": [0.1]},
        {"texts": 2, "kept": [0.2, 0.1]},
        {"texts": 2, "kept": [0.1, math.inf]},
        {"texts": 2, "kept": [0.1, math.nan]},
        {"texts": 2, "kept": [-0.1, 0.2]},
        {"texts": 0, "kept": []},
        {"texts": 10**30, "kept": [0.1]},
    ],
)
def test_figures_that_nlpt_did_not_write_are_refused(damaged):
    with pytest.raises(ValidationError):
        Surprises.model_validate(damaged)
