"""What scores at several sizes forecast: known laws, intervals, and scores that say nothing."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_transfer.metrics.learning_curve import FARTHEST, CurveError, PowerLaw, fit

SIZES = (50, 100, 200, 400, 800)

laws = st.tuples(st.floats(0.6, 1), st.floats(0.05, 0.45), st.floats(0.25, 1))
"""The ceiling, how far below it the score at 50 is, and the exponent."""


def score(law: tuple[float, float, float], size: float) -> float:
    ceiling, missing, exponent = law
    return ceiling - missing * (size / SIZES[0]) ** -exponent


def exact(law: tuple[float, float, float], *, runs: int = 3) -> PowerLaw:
    return fit(SIZES, [[score(law, size)] * runs for size in SIZES])


@settings(max_examples=40, deadline=None)
@given(laws)
def test_a_power_law_is_recovered(law: tuple[float, float, float]) -> None:
    found = exact(law)
    value, low, high = found.forecast(1600)
    assert value == pytest.approx(score(law, 1600), abs=0.01)
    assert low <= score(law, 1600) <= high
    for size in SIZES[2:]:  # smaller ones weigh less
        assert found.forecast(size)[0] == pytest.approx(score(law, size), abs=0.02)
        assert found.a - found.b * size**-found.c == pytest.approx(score(law, size), abs=0.04)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=4), min_size=3, max_size=7))
def test_forecasts_rise_with_the_size_within_their_interval(scores: list[list[float]]) -> None:
    sizes = [50 * 2**step for step in range(len(scores))]
    try:
        found = fit(sizes, scores)
    except CurveError:
        return
    curve = found.curve([1, *sizes, *(sizes[-1] * 2**step for step in range(1, 8))])
    assert all(0 <= low <= value <= high <= 1 for value, low, high in curve)
    for ends in zip(*curve, strict=True):
        assert list(ends) == sorted(ends)
    assert json.dumps(found.as_dict(), allow_nan=False)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_points_does_not_matter(shuffling: random.Random) -> None:
    points = [(size, [score((0.9, 0.4, 0.5), size) + e for e in (0.01, -0.02)]) for size in SIZES]
    expected = fit(*zip(*points, strict=True)).forecast(1600)
    shuffling.shuffle(points)
    assert fit(*zip(*points, strict=True)).forecast(1600) == pytest.approx(expected, abs=1e-9)


def test_intervals_hold_what_they_promise() -> None:
    """A band of 95 % around noisy curves holds about 95 % of new runs at twice the data."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(40):
        law = (rng.uniform(0.6, 1), rng.uniform(0.1, 0.4), rng.uniform(0.3, 1))
        runs = [list(score(law, size) + rng.normal(0, 0.012, 2)) for size in SIZES]
        _, low, high = fit(SIZES, runs).forecast(1600)
        held.append(low <= score(law, 1600) + rng.normal(0, 0.012) <= high)
    assert np.mean(held) >= 0.9


def test_what_is_known_less_is_forecast_less_surely() -> None:
    law = (0.9, 0.4, 0.5)

    def width(found: PowerLaw, size: int = 1600) -> float:
        _, low, high = found.forecast(size)
        return high - low

    noisy = fit(SIZES, [[score(law, size) + e for e in (-0.04, 0, 0.04)] for size in SIZES])
    fewer = fit(SIZES[2:], [[score(law, size)] * 3 for size in SIZES[2:]])
    assert width(exact(law)) < width(fewer)
    assert width(exact(law)) < width(noisy)
    assert width(exact(law)) <= width(exact(law, runs=1))
    assert width(exact(law)) < width(exact(law), 12_800)


def test_sizes_at_which_nothing_is_learned_do_not_bend_the_curve() -> None:
    law = (0.9, 0.4, 0.5)
    runs = [[score(law, size)] * 2 for size in SIZES]
    found = fit((10, 25, *SIZES), [[0.0, 0.0], [0.01, 0.02], *runs])
    assert found.not_learned == (10, 25)
    assert found.sizes == SIZES
    assert found.forecast(1600) == pytest.approx(fit(SIZES, runs).forecast(1600), abs=0.005)


def test_curves_that_start_slowly_are_followed() -> None:
    def slow(size: float) -> float:
        return 0.95 / (1 + (300 / size) ** 1.3)

    found = fit(SIZES, [[slow(size)] for size in SIZES])
    assert found.forecast(1600)[0] == pytest.approx(slow(1600), abs=0.02)


def test_the_size_that_a_score_takes() -> None:
    law = (0.95, 0.45, 0.4)
    found = exact(law)
    size, low, high = found.size_for(score(law, 1600)) or (0, 0, 0)
    assert size == pytest.approx(1600, rel=0.2)
    assert low < size
    assert high is None or size < high
    assert found.forecast(size)[0] >= score(law, 1600) - 1e-3
    assert found.size_for(0.999) is None
    assert found.size_for(0.1) == (50, 50, 50)
    beyond = found.forecast(FARTHEST * 800)[0]
    assert found.size_for(beyond + 0.01) is None


@pytest.mark.parametrize(
    ("sizes", "scores", "said"),
    [
        ((), (), "there are 0"),
        ((50, 100), ([0.2], [0.3]), "a curve takes 3 sizes, there are 2"),
        ((50, 100, 200), ([0.0], [0.0], [0.0]), "no score is above 0"),
        ((50, 100, 200), ([0.0], [0.3], [0.4]), "3 sizes at which learning has begun, there are 2"),
        ((50, 100, 200), ([0.5], [0.5], [0.5]), "do not rise with the size (0.500 at 50, 0.500"),
        ((50, 100, 200), ([0.9], [0.7], [0.5]), "fall with the size (0.900 at 50, 0.500 at 200)"),
        ((50, 100, 200), ([1.0], [1.0], [1.0]), "do not rise"),
        ((50, 100, 200, 400), ([-0.2], [0.1], [0.5], [-0.1]), "fall with"),
    ],
)
def test_scores_that_say_nothing_are_refused(
    sizes: tuple[int, ...], scores: tuple[list[float], ...], said: str
) -> None:
    with pytest.raises(CurveError) as error:
        fit(sizes, scores)
    assert said in str(error.value)
