"""A training that unlearns is warned of once, with what to do; a healthy one never is."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from interrupting import interrupted

from nlp_transfer import finetune, load_recipe
from nlp_transfer.training.divergence import Trend

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]

LEARNED = [2.6, 2.2, 1.7, 1.2, 0.8, 0.5, 0.3, 0.3]


@pytest.mark.parametrize(
    ("losses", "norms", "fault"),
    [
        ([*LEARNED, 0.4, 0.2, 0.3, 0.35, 0.2], [3, 9, 2, 21, 4], None),
        ([2.63, 3.09, 2.77, 2.76, 2.84, 2.69], [4], "the loss has risen from 2.63 to 2.86"),
        ([4.34, 4.36, 4.33, 4.37, 4.35, 4.38], [1], None),  # nothing is learned, nothing lost
        (LEARNED + [2.4] * 4, [2], "the loss has risen from 0.475 to 1.88; it began with 2.6"),
        ([1.0] * 12, [1, 2, 1, 2, 1, 2, 1, 30, 25, 40], "the gradient norm has risen from 1 to 40"),
        ([1.0] * 12, [1, 2, 1, 2, 1, 2, 1, 30, 25, 1], None),
        ([0.01] * 12, [0.01] * 7 + [0.5, 0.9, 0.8], None),  # far below what they are cut to
    ],
)
def test_what_is_a_divergence(losses: list[float], norms: list[float], fault: str | None) -> None:
    trend, norms = Trend(1.0), norms * 12
    lines = zip(losses, norms, strict=False)
    found = [
        trend.fault({"step": 10 * n, "loss": loss, "grad_norm": norm})
        for n, (loss, norm) in enumerate(lines, start=1)
    ]
    assert next(filter(None, found), None) == fault


def test_a_divergence_needs_steps_not_lines() -> None:
    trend = Trend(1.0)
    assert not any(trend.fault({"step": n, "loss": float(n)}) for n in range(1, 50))


DIVERGES = {
    "epochs": 12, "tokens_per_batch": 96, "learning_rate": 0.3, "warmup": 0.0,
    "schedule": "constant",
}  # fmt: skip
"""Of texts with classes: 60 steps or more."""


def test_a_run_that_diverges_is_warned_of_once(
    tiny_recipe: Recipes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe, run = load_recipe(str(tiny_recipe("classification", training=DIVERGES))), tmp_path / "r"
    with caplog.at_level(logging.WARNING):
        with interrupted(at_step=62), pytest.raises(KeyboardInterrupt):
            finetune(recipe, output=run)
        report = finetune(recipe, output=run)
    (said,) = [line for line in caplog.messages if "diverges" in line]
    assert "A lower training.learning_rate (it is 0.3), a longer training.warmup (0)" in said
    figures = json.loads((run / "metrics.json").read_text("utf-8"))["training"]
    assert f"at step {figures['diverged_at_step']}: " in said
    assert figures["came_back"] in ("yes", "no")
    assert [note for note in report.metrics["notes"] if "Training diverged at step" in note]
    assert "Gradient norm" in (run / "report.html").read_text("utf-8")


def test_a_healthy_run_is_not_warned_of(
    tiny_recipe: Recipes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    training = {**DIVERGES, "learning_rate": 1e-3}
    recipe = load_recipe(str(tiny_recipe("classification", training=training)))
    with caplog.at_level(logging.WARNING):
        finetune(recipe, output=tmp_path / "run")
    assert "diverges" not in caplog.text
    figures = json.loads((tmp_path / "run" / "metrics.json").read_text("utf-8"))["training"]
    assert figures["steps"] >= 60
    assert "diverged_at_step" not in figures
    lines = map(json.loads, (tmp_path / "run" / "log.jsonl").read_text("utf-8").splitlines())
    assert all(line["grad_norm"] > 0 for line in lines if "loss" in line)
