"""A run whose time is over ends with the best model found until then, and says so."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from interrupting import interrupted
from safetensors.torch import load_file
from transformers import TrainerCallback

from nlp_transfer import finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.runs.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]
Spend = Callable[..., TrainerCallback]

_EVERY_STEP = {"logging_steps": 1}
_BY_STEPS = {"eval_strategy": "steps", "eval_steps": 4, "save_strategy": "steps", "save_steps": 4}
_LIMITED = {"epochs": 4, "tokens_per_batch": 200, "max_minutes": 60}


class Spending(TrainerCallback):
    """Lets minutes pass in the steps, and breaks off where it is told to."""

    def __init__(self, passed: list[float], minutes: dict[int, float], *, is_killed: bool) -> None:
        self._passed = passed
        self._minutes = minutes
        self._is_killed = is_killed

    def on_step_end(self, args: object, state: Any, *_: object, **__: object) -> None:
        self._passed[0] += 60 * self._minutes.get(state.global_step, 0)

    def on_train_end(self, *_: object, **__: object) -> None:
        if self._is_killed:
            raise KeyboardInterrupt


@pytest.fixture
def spend(monkeypatch: pytest.MonkeyPatch) -> Spend:
    """Return a function that makes a callback which lets minutes pass, by the step."""
    real, passed = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: real() + passed[0])

    def make(minutes: dict[int, float], *, is_killed: bool = False) -> TrainerCallback:
        return Spending(passed, minutes, is_killed=is_killed)

    return make


def _figures(run: Path) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads((run / "metrics.json").read_text("utf-8"))["training"]
    return figures


def _logged(run: Path, key: str) -> dict[int, float]:
    lines = map(json.loads, (run / "log.jsonl").read_text("utf-8").splitlines())
    return {line["step"]: line[key] for line in lines if key in line}


@pytest.mark.parametrize("rhythm", [{}, _BY_STEPS, {"eval_strategy": "no", "save_strategy": "no"}])
def test_time_ends_a_run_with_an_evaluation_and_a_report(
    rhythm: dict[str, Any], spend: Spend, tiny_recipe: Recipes, tmp_path: Path
) -> None:
    is_evaluated = rhythm.get("eval_strategy") != "no"
    arguments = {**_EVERY_STEP, **rhythm}
    recipe = load_recipe(str(tiny_recipe(training={**_LIMITED, "arguments": arguments})))
    report = finetune(recipe, output=tmp_path / "run", callbacks=[spend({2: 61})])
    figures = _figures(tmp_path / "run")
    assert (figures["ended_by"], figures["steps"]) == ("training.max_minutes", 3)
    assert figures["planned_steps"] > 3
    assert figures["planned_epochs"] == 4
    assert figures["best_step"] == (3 if is_evaluated else None)
    assert (3 in _logged(tmp_path / "run", "eval_score")) == is_evaluated
    said = f"ended the training after 3 of {figures['planned_steps']} steps (epoch "
    assert [note for note in report.metrics["notes"] if said in note]
    assert said in (tmp_path / "run" / "report.md").read_text("utf-8")
    assert RunFolder(tmp_path / "run").state() == "finished"


def test_the_rate_falls_to_nothing_where_the_time_ends(
    spend: Spend, tiny_recipe: Recipes, tmp_path: Path
) -> None:
    training = {**_LIMITED, "schedule": "constant", "warmup": 0, "arguments": _EVERY_STEP}
    recipe = load_recipe(str(tiny_recipe(training=training)))
    finetune(recipe, output=tmp_path / "run", callbacks=[spend({1: 47, 2: 7, 3: 3, 4: 3})])
    rates = _logged(tmp_path / "run", "learning_rate")
    assert rates == pytest.approx({1: 1e-3, 2: 1e-3, 3: 0.5e-3, 4: 0.25e-3, 5: 0}, rel=0.05)


def test_a_limit_that_is_far_away_changes_no_weight(tiny_recipe: Recipes, tmp_path: Path) -> None:
    for name, minutes in (("with", 1000), ("without", None)):
        recipe = tiny_recipe(training={"epochs": 1, "max_minutes": minutes})
        finetune(load_recipe(str(recipe)), output=tmp_path / name)
    one, other = (
        load_file(tmp_path / name / "model" / "model.safetensors") for name in ("with", "without")
    )
    assert all(one[name].equal(other[name]) for name in one)
    assert "ended_by" not in _figures(tmp_path / "with")


def test_minutes_are_those_of_all_sittings(
    spend: Spend, tiny_recipe: Recipes, tmp_path: Path
) -> None:
    training = {**_LIMITED, "save_minutes": 1e-6, "arguments": _EVERY_STEP}
    recipe, run = load_recipe(str(tiny_recipe(training=training))), tmp_path / "run"
    with interrupted(at_step=2), pytest.raises(KeyboardInterrupt):
        finetune(recipe, output=run, callbacks=[spend({1: 40})])
    assert (run / "checkpoints" / "checkpoint-2").is_dir()
    finetune(recipe, output=run, callbacks=[spend({3: 21})])
    assert _figures(run)["steps"] == 4


def test_a_run_that_broke_off_when_its_time_was_over_learns_no_more(
    spend: Spend, tiny_recipe: Recipes, tmp_path: Path
) -> None:
    recipe, run = load_recipe(str(tiny_recipe(training=_LIMITED))), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        finetune(recipe, output=run, callbacks=[spend({2: 61}, is_killed=True)])
    (checkpoint,) = (run / "checkpoints").glob("checkpoint-*")
    evaluated = load_file(checkpoint / "model.safetensors")
    moved = run.rename(tmp_path / "moved")
    with interrupted():  # by the first step, if there is one
        finetune(recipe, output=moved)
    figures = _figures(moved)
    assert (figures["ended_by"], figures["steps"]) == ("training.max_minutes", 3)
    assert 3600 < figures["seconds"] < 2 * 3600
    kept = load_file(moved / "model" / "model.safetensors")
    assert all(evaluated[name].equal(tensor) for name, tensor in kept.items())


@pytest.mark.parametrize("minutes", ["0", "-5", "soon", "1e9", ".nan"])
def test_what_is_no_time_is_refused(minutes: str, tiny_recipe: Recipes) -> None:
    with pytest.raises(UserError, match=r"training\.max_minutes"):
        load_recipe(str(tiny_recipe()), [f"training.max_minutes={minutes}"])


@pytest.mark.slow
def test_the_time_of_one_process_ends_all_at_the_same_step(
    tiny_recipe: Recipes, tmp_path: Path
) -> None:
    training = {"epochs": 2000, "tokens_per_batch": 96, "max_minutes": 0.02}
    recipe, run = tiny_recipe(training=training), tmp_path / "run"
    torchrun = ("-m", "torch.distributed.run", "--nproc_per_node", "2")
    command = [*torchrun, "-m", "nlp_transfer", "finetune", "-r", str(recipe), "-o", str(run)]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    figures = _figures(run)
    assert figures["world_size"] == 2
    assert figures["steps"] < figures["planned_steps"]
    assert "training.max_minutes ended the training" in (run / "report.md").read_text("utf-8")
