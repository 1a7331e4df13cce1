"""A dry run measures the code that will run: it is the run itself, in little."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import nlp_transfer
from nlp_transfer import finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.flows.dry_run import dry_run
from nlp_transfer.runs.gpu_model import Gpus, Work, on_gpus

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]

PACKAGE = Path(nlp_transfer.__file__).parent
ROOMS = ("training", "strategies")
NOT_A_STEP = ("evaluate", "_save_checkpoint", "on_save", "_load_best_model")
"""What a Trainer does between steps and at the end, which a dry run does after its steps."""
OF_DRY_RUNS = ("training/rehearsal.py:", "training/batching.py:TokenBatchSampler.")


def called_in_steps(run: Callable[[], Any]) -> set[str]:
    """Name the functions of ROOMS that are called from the start of `fit` to its end."""
    called: set[str] = set()
    entered: list[FrameType] = []  # `fit`, and what is no step below it

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "return" and entered and frame is entered[-1]:
            entered.pop()
        if event != "call":
            return
        if code.co_name in ("fit", *NOT_A_STEP) and (entered or code.co_name == "fit"):
            entered.append(frame)
        elif len(entered) == 1 and code.co_filename.startswith(str(PACKAGE)):
            room, _, module = str(Path(code.co_filename).relative_to(PACKAGE)).partition("/")
            if room in ROOMS:
                called.add(f"{room}/{module}:{code.co_qualname}")

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return called


def test_dry_run_calls_what_the_run_calls(tmp_path: Path, tiny_recipe: Callable[..., Path]) -> None:
    two_steps = {"epochs": 1, "arguments": {"max_steps": 2}}
    recipe = load_recipe(str(tiny_recipe(strategy="r_drop", training=two_steps)))
    tried = called_in_steps(lambda: dry_run(recipe))
    done = called_in_steps(lambda: finetune(recipe, output=tmp_path / "run"))
    assert done <= tried
    assert not [name for name in tried - done if not name.startswith(OF_DRY_RUNS)]
    assert {
        "training/seen_rows.py:SeenRows.forward",
        "training/fitting.py:parameter_counts",
    } <= done


BY_STEPS = {
    "eval_strategy": "steps",
    "eval_steps": 0.25,
    "save_strategy": "steps",
    "save_steps": 0.25,
}


@pytest.mark.parametrize(
    ("training", "steps", "evaluations"),
    [
        ({"epochs": 12}, 12, 12),
        ({"epochs": 2.5}, 3, 3),
        ({"epochs": 40, "arguments": BY_STEPS}, 40, 4),
        ({"arguments": {"max_steps": 1, "eval_strategy": "no", "save_strategy": "no"}}, 1, 0),
    ],
)
def test_it_counts_steps_evaluations_and_checkpoints_of_the_run(
    training: dict[str, Any], steps: int, evaluations: int, tiny_recipe: Recipes
) -> None:
    recipe = tiny_recipe(training={"tokens_per_batch": 100_000, **training})
    found = dry_run(load_recipe(str(recipe)))
    times = found.times
    assert (found.steps, times.evaluations, times.saves) == (steps, evaluations, evaluations)
    both_largest = max(steps, 2)
    assert found.steps_tried == both_largest or 8 <= found.steps_tried <= min(24, steps)


def test_time_that_ends_a_run_ends_its_estimate(tiny_recipe: Recipes) -> None:
    recipe = load_recipe(str(tiny_recipe(training={"epochs": 10_000, "max_minutes": 1})))
    found = dry_run(recipe)
    assert 60 < found.times.training < 70
    assert found.times.is_cut_short


def test_large_splits_are_evaluated_in_little(tiny_recipe: Recipes, tmp_path: Path) -> None:
    lines = [f"word{number % 7} O\nParis B-LOC\n" for number in range(3000)]
    for split, count in (("train", 40), ("validation", 1500), ("test", 3000)):
        (tmp_path / f"{split}.conll").write_text("\n".join(lines[:count]), "utf-8")
    found = dry_run(load_recipe(str(tiny_recipe(source=str(tmp_path), training={"epochs": 1}))))
    assert found.data.splits["test"].ledger.sentences == 3000
    assert list(tmp_path.glob(".nlpt-dry-run-*")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("many", "a whole number of GPUs"),
        ("0", "a whole number of GPUs"),
        ("2.5", "a whole number of GPUs"),
        ("8,tflop=9", "Did you mean 'tflops'"),
        ("8,tflops=fast", "tflops: a number above 0"),
        ("8,utilisation=30", "a share, up to 1"),
        ("8,9", "is no assumption"),
    ],
)
def test_what_is_no_number_of_gpus_is_refused(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Gpus.read(text)


def test_gpus_without_a_dry_run_are_refused(nlpt: Any, tiny_recipe: Recipes) -> None:
    code, _, err = nlpt("finetune", "-r", tiny_recipe(), "--gpus", 8)
    assert (code, "add --dry-run" in err) == (2, True)


def test_the_model_of_gpus_is_what_is_written_of_it(nlpt: Any, tiny_recipe: Recipes) -> None:
    work = Work(100, 6e8, 32_768, 32_768, 1e6, 50.0, 100_000_000, 110_000_000, 12 * 768)
    found = on_gpus(
        Gpus.read("8, tflops=300, utilisation=0.5, bandwidth=100, least_step=0.001"), work
    )
    computing = 6e8 * 32_768 / (8 * 300e12 * 0.5)
    assert found.computing_seconds == pytest.approx(computing)
    assert found.exchanging_seconds == pytest.approx(2 * 7 / 8 * 4e8 / 100e9)
    assert found.total_seconds == pytest.approx(
        100 * (computing + found.exchanging_seconds) + 2e8 * 1e6 / (8 * 300e12 * 0.5) + 50
    )
    assert on_gpus(Gpus.read("1"), work).exchanging_seconds == 0
    code, out, _ = nlpt("finetune", "-r", tiny_recipe(), "--dry-run", "--gpus", 64)
    assert code == 0
    assert "64 GPUs, by a model" in out
    assert "tflops=312" in out


# In CPU time, as if the machine were the run's alone; a process each, so that imports count alike.
IN_CPU_TIME = """
import time
time.monotonic = time.process_time
import json, sys, torch
torch.set_num_threads(1)
start = time.monotonic()
from nlp_transfer import finetune, load_recipe
from nlp_transfer.flows.dry_run import dry_run
recipe, (way, output) = load_recipe(sys.argv[1], sys.argv[4:]), sys.argv[2:4]
if way == "dry":
    found = dry_run(recipe, output=output)
    said = [found.times.training, found.seconds, found.peak_memory_bytes / 1e6]
    print(json.dumps([*said, time.monotonic() - start]))
else:
    training = finetune(recipe, output=output).metrics["training"]
    print(json.dumps([training["seconds"], time.monotonic() - start, training["peak_mb"]]))
"""
ALL = "strategies=[{name: full}]"
ESTIMATED = {
    "ner": ("quickstart-ner",),
    "intents": ("quickstart-intents",),
    "frozen": ("quickstart-intents", "strategies=[{name: frozen}]"),
    "lora": ("quickstart-ner", "strategies=[{name: lora}]", "training.epochs=3"),
    "r_drop": ("quickstart-intents", "strategies=[{name: full}, {name: r_drop}]"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ESTIMATED)
def test_time_and_memory_are_those_of_the_run(name: str, tmp_path: Path) -> None:
    said = []
    for way in ("dry", "run"):
        recipe, *overrides = ESTIMATED[name]
        command = [
            sys.executable,
            "-c",
            IN_CPU_TIME,
            recipe,
            way,
            str(tmp_path / "run"),
            *overrides,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        said.append(json.loads(done.stdout.splitlines()[-1]))
    estimated, taken = said
    ratios = [a / b for a, b in zip(estimated, taken, strict=False)]
    print(name, "estimated", estimated, "taken", taken, "ratios", ratios)
    assert all(0.75 <= ratio <= 1.25 for ratio in ratios), (estimated, taken)
