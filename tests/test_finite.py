"""Losses, weights and models that are no numbers, or say nothing, end in a message."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from damaging import made_by_hand
from safetensors.torch import load_file, save_file

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
Recipes = Callable[..., Path]


def _with_weights(folder: Path, copy: Path, **values: float) -> Path:
    """Copy a model folder, with values for all weights whose name holds a key."""
    made_by_hand(shutil.copytree(folder, copy))
    file = next(iter(copy.glob("*.safetensors")))
    weights = load_file(file)
    for part, value in values.items():
        names = [name for name in weights if part in name.replace(".", "_")]
        assert names
        for name in names:
            weights[name] = torch.full_like(weights[name], value)
    save_file(weights, file, {"format": "pt"})
    return copy


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_checkpoint_with_weights_that_are_no_numbers_is_refused_before_training(
    value: float, nlpt: Run, tiny_recipe: Recipes, tiny_bert: Path, tmp_path: Path
) -> None:
    bad = _with_weights(tiny_bert, tmp_path / "bad", layer_1_output_dense_bias=value)
    code, out, err = nlpt("finetune", "-r", tiny_recipe(checkpoint=bad))
    assert (code, out) == (2, "")
    assert "model.checkpoint" in err
    assert "layer.1.output.dense.bias" in err
    assert not Path("runs").exists()


def _stopped_at(err: str) -> int:
    return int(re.search(r"Training stopped at step (\d+)", err).group(1))  # type: ignore[union-attr]


@pytest.mark.parametrize("logging_steps", [1, 500])
def test_loss_that_is_no_number_ends_the_run_with_its_step_and_batch(
    logging_steps: int, nlpt: Run, tiny_recipe: Recipes, tiny_bert: Path, tmp_path: Path
) -> None:
    huge = _with_weights(tiny_bert, tmp_path / "huge", layer_0_output_LayerNorm_weight=3e38)
    recipe = tiny_recipe(checkpoint=huge, training={"tokens_per_batch": 64})
    code, out, err = nlpt(
        "finetune", "-r", recipe, f"training.arguments.logging_steps={logging_steps}"
    )
    assert (code, out) == (2, "")
    assert _stopped_at(err) == 1
    assert re.search(r"train\.conll:\d+", err)
    assert "checkpoint" in err
    run = Path("runs/tiny")
    assert not (run / "metrics.json").exists()
    assert not (run / "model").exists()
    assert not list(run.glob("checkpoints/*"))
    assert not (run / "log.jsonl").exists()  # nothing was worth a line
    code, _, err = nlpt("finetune", "-r", recipe, "--dry-run", "-o", "other")
    assert (code, _stopped_at(err)) == (2, 1)
    code, _, err = nlpt("report", run)
    assert (code, "no finished run" in err) == (2, True)


def test_too_high_a_learning_rate_ends_the_run_and_is_named(
    nlpt: Run, tiny_recipe: Recipes
) -> None:
    recipe = tiny_recipe(training={"learning_rate": 1e38, "warmup": 0, "tokens_per_batch": 64})
    code, _, err = nlpt("finetune", "-r", recipe)
    assert code == 2
    assert _stopped_at(err) == 2
    assert "Lower training.learning_rate (it is 1e+38)" in err
    code, _, err = nlpt("finetune", "-r", recipe, "--fresh", "training.learning_rate=1e-3")
    assert code == 0, err


def test_weights_that_the_last_step_spoils_are_not_kept(nlpt: Run, tiny_recipe: Recipes) -> None:
    recipe = tiny_recipe(
        training={
            "learning_rate": 1e38,
            "warmup": 0,
            "optimizer": "sgd",
            "class_weights": {"O": 1000},
            "arguments": {"max_steps": 1, "max_grad_norm": 0},
        }
    )
    code, _, err = nlpt("finetune", "-r", recipe)
    assert code == 2, err
    assert "weights have become NaN or infinite" in err
    assert not Path("runs/tiny/model").exists()


def test_model_that_the_last_step_spoils_is_put_down_to_the_learning_rate(
    nlpt: Run, tiny_recipe: Recipes
) -> None:
    """Its loss was a number before the step, and its weights are numbers after it."""
    recipe = tiny_recipe(
        training={"learning_rate": 1e37, "warmup": 0, "arguments": {"max_steps": 1}}
    )
    code, _, err = nlpt("finetune", "-r", recipe)
    assert code == 2, err
    assert "Training stopped at step 1: after it the model computes NaN" in err
    assert "Lower training.learning_rate (it is 1e+37). Then start over with --fresh." in err
    assert nlpt("finetune", "-r", recipe, "--fresh", "training.learning_rate=1e-3")[0] == 0


def test_adapter_with_weights_that_are_no_numbers_is_refused(
    nlpt: Run, tiny_recipe: Recipes, tiny_bert: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(strategy="lora", training={"epochs": 1})
    assert nlpt("finetune", "-r", recipe, "-o", "run")[0] == 0
    bad = _with_weights(Path("run/adapter"), tmp_path / "bad", layer_1=float("nan"))
    for command in (
        ("predict", bad, "-"),
        ("predict", "--adapter", bad, tiny_bert, "-"),
        ("evaluate", bad, "-r", recipe),
        ("merge", bad, bad, "-o", "merged"),
    ):
        code, out, err = nlpt(*command, stdin="hello\n")
        assert (code, out) == (2, ""), command
        assert "NaN" in err, err
    assert not Path("merged").exists()


def test_pretraining_stops_at_a_loss_that_is_no_number(
    nlpt: Run, tiny_recipe: Recipes, checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    masked = checkpoint("bert", masked_lm=True)
    huge = _with_weights(masked, tmp_path / "huge", layer_0_output_LayerNorm_weight=3e38)
    code, _, err = nlpt("pretrain", "-r", tiny_recipe(checkpoint=huge))
    assert (code, _stopped_at(err)) == (2, 1)
    assert not Path("runs/tiny-pretrained/metrics.json").exists()


@pytest.mark.parametrize(
    ("task", "often", "phrase"),
    [("ner", "O", "O for every word"), ("classification", "order", "'order' for every text")],
)
def test_model_that_answers_always_the_same_is_warned_of(
    task: str, often: str, phrase: str, nlpt: Run, tiny_recipe: Recipes
) -> None:
    recipe = tiny_recipe(task, training={"class_weights": {often: 1e4}, "tokens_per_batch": 64})
    code, out, err = nlpt("finetune", "-r", recipe)
    assert code == 0
    assert f"validation: the model predicts {phrase}" in err
    assert f"{phrase} of the test split" in " ".join(out.split())
    notes = json.loads(Path("runs/tiny/metrics.json").read_text("utf-8"))["notes"]
    assert phrase in notes[-1]
    assert "or by other strategies" in notes[-1]
    _, out, _ = nlpt("evaluate", "runs/tiny", "-r", recipe, "--json")
    assert json.loads(out)["notes"] == notes


def test_model_that_learns_has_no_such_warning(nlpt: Run, tiny_recipe: Recipes) -> None:
    assert nlpt("finetune", "-r", tiny_recipe(training={"epochs": 4}))[0] == 0
    assert "notes" not in json.loads(Path("runs/tiny/metrics.json").read_text("utf-8"))


def test_fp16_may_leave_out_steps_but_not_all() -> None:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from nlp_transfer.errors import UserError
    from nlp_transfer.training.loss_watch import LossWatch

    class Scaling:
        scaler = object()
        device = torch.device("cuda")
        num_processes = 1
        optimizer_step_was_skipped = True

    accelerator: Any = Scaling()
    watch = LossWatch(accelerator, lambda step: "")
    args, control = TrainingArguments("unused", report_to="none"), TrainerControl()
    state = TrainerState(max_steps=1000)

    def take(steps: int, *, skipped: bool) -> None:
        accelerator.optimizer_step_was_skipped = skipped
        for _ in range(steps):
            state.global_step += 1
            watch.note(torch.tensor(torch.inf), state.global_step)
            watch.on_step_end(args, state, control, model=torch.nn.Linear(1, 1))

    take(20, skipped=True)  # the scale is being found
    take(1, skipped=False)
    take(29, skipped=True)
    with pytest.raises(UserError, match="stopped at step 60"):
        take(20, skipped=True)


@pytest.mark.slow
def test_two_processes_stop_together(tiny_recipe: Recipes, tiny_bert: Path, tmp_path: Path) -> None:
    huge = _with_weights(tiny_bert, tmp_path / "huge", layer_0_output_LayerNorm_weight=3e38)
    recipe = tiny_recipe(checkpoint=huge, training={"tokens_per_batch": 64})
    command = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "nlp_transfer"]
    done = subprocess.run(
        [sys.executable, *command, "finetune", "-r", str(recipe), "-o", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode != 0
    assert _stopped_at(done.stderr) == 1
    assert "process 1: Training stopped at step 1" in done.stderr
