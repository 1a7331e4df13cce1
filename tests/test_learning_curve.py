"""What scores at several sizes forecast: known laws, intervals, and scores that say nothing."""

from __future__ import annotations

import copy
import json
import random
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nlp_transfer.metrics.entities import entity_figures
from nlp_transfer.metrics.labels import label_figures
from nlp_transfer.metrics.learning_curve import FARTHEST, CurveError, PowerLaw, fit
from nlp_transfer.shown import LineChart, Table
from nlp_transfer.studies.learning_curve import learning_curve
from nlp_transfer.tasks.ner.scores import NerFigures

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
@example((0.625, 0.4375, 1.0))  # the furthest off of 100 laws on a grid: 0.0108
def test_a_power_law_is_recovered(law: tuple[float, float, float]) -> None:
    found = exact(law)
    value, low, high = found.forecast(1600)
    assert value == pytest.approx(score(law, 1600), abs=0.012)
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


# --- of runs --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    """Return what metrics.json holds of an NER run whose validation split has PER, ORG and LOC."""
    tags = [["B-PER", "O"], ["B-ORG", "O"], ["B-LOC", "I-LOC"]] * 5
    figures = NerFigures(entity_figures(tags, tags, samples=10), label_figures(tags, tags))
    return {"task": "ner", "splits": {"validation": figures.as_dict()}}


def run_of(metrics: dict[str, Any], overall: float, **types: float) -> dict[str, Any]:
    """Change the scores of a run."""
    changed: dict[str, Any] = copy.deepcopy(metrics)
    entity = changed["splits"]["validation"]["entity"]
    entity["overall"]["f1"] = overall
    for name, f1 in types.items():
        entity["per_type"][name]["f1"] = f1
    return changed


@pytest.fixture
def runs(metrics: dict[str, Any]) -> dict[int, list[dict[str, Any]]]:
    """Return two seeds at each of five sizes: PER can be learned, LOC cannot, ORG is known."""
    law = (0.95, 0.45, 0.4)
    return {
        size: [
            run_of(metrics, score(law, size) + e, PER=score(law, size) - 0.1, LOC=0.0, ORG=0.9)
            for e in (-0.01, 0.01)
        ]
        for size in SIZES
    }


def test_runs_say_how_far_they_are_and_what_more_takes(runs: dict[int, Any]) -> None:
    curve = learning_curve(runs)
    said = curve.sentence()
    assert said.startswith("Learning curve: entity F1 0.80 ± 0.01 at 800 sentences; about 0.84 (0.")
    assert re.search(r"at 1,600; 0\.85 needs about [12],\d00 \(1,\d00 (to|or) [\w,]+\)\.$", said)
    assert next(line.partition(":")[0] for line in curve.sentences()) == "PER"
    assert curve.sentences()[1:] == [
        "Not forecast: LOC, ORG (learning has begun at fewer than 3 sizes, or scores do not rise)."
    ]
    assert "no score is above 0" in curve.per_label["LOC"].why
    assert "the scores do not rise" in curve.per_label["ORG"].why


def test_a_learning_curve_is_written_without_gaps(runs: dict[int, Any]) -> None:
    written = json.loads(json.dumps(learning_curve(runs).as_dict(), allow_nan=False))
    overall = written["overall"]
    assert [point["size"] for point in overall["points"]] == list(SIZES)
    assert overall["points"][0]["runs"] == 2
    assert overall["forecast"]["size"] == 1600
    assert overall["forecast"]["low"] < overall["forecast"]["value"] < overall["forecast"]["high"]
    assert overall["goal"]["score"] == 0.85
    assert overall["goal"]["low"] < overall["goal"]["size"]
    assert written["per_label"]["LOC"]["law"] is None
    assert written["per_label"]["LOC"]["why_not"]


def test_a_learning_curve_is_drawn_with_its_forecast(runs: dict[int, Any]) -> None:
    chart, of_types, table = learning_curve(runs).blocks()
    assert isinstance(chart, LineChart)
    assert isinstance(of_types, LineChart)
    assert isinstance(table, Table)
    forecast, measured = chart.series
    assert [x for x, _ in measured.points] == list(SIZES)
    assert forecast.points[-1][0] == pytest.approx(3200)
    assert all(
        low <= y <= high
        for (_, y), (low, high) in zip(forecast.points, forecast.bounds, strict=True)
    )
    assert {series.name for series in of_types.series} == {"PER", "LOC", "ORG"}
    assert table.columns[0] == "type"
    assert len({len(table.columns), *map(len, table.rows)}) == 1
    assert [row[0] for row in table.rows][:2] == ["all", "PER"]


def test_sizes_without_a_finished_run_are_left_out(runs: dict[int, Any]) -> None:
    few = learning_curve({**runs, 1600: [], 50: [], 100: [], 200: runs[200][:1]})
    assert [point.size for point in few.overall.points] == [200, 400, 800]
    two = learning_curve({size: runs[size] for size in (50, 100)})
    assert two.sentence().endswith("nothing is forecast: a curve takes 3 sizes, there are 2.")
    assert two.overall.as_dict()["forecast"] is None
    assert two.sentences() == []
    assert [series.name for series in two.blocks()[0].series] == ["runs, mean ± standard deviation"]
    with pytest.raises(ValueError, match="no run is finished"):
        learning_curve({50: []})


def test_sizes_that_took_fewer_steps_are_told_of(runs: dict[int, Any]) -> None:
    assert learning_curve(runs).caution is None, "not known"
    for size, of_size in runs.items():
        for run in of_size:
            run["training"] = {"steps": size // 5}
    caution = learning_curve(runs).caution or ""
    assert caution.startswith("Runs took 10 steps at 50 sentences, 160 at 800: part of the gain")
    for run in (run for of_size in runs.values() for run in of_size):
        run["training"] = {"steps": 400}
    assert learning_curve(runs).caution is None


def test_a_type_that_a_run_does_not_have_scores_nothing_there(runs: dict[int, Any]) -> None:
    for run in runs[50]:
        del run["splits"]["validation"]["entity"]["per_type"]["PER"]
    points = learning_curve(runs).per_label["PER"].points
    assert points[0].scores == (0.0, 0.0)
    assert points[1].mean > 0
