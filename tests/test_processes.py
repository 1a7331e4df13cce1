"""Two real processes see and count exactly what one does."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from interrupting import interrupted
from safetensors.torch import load_file
from waiting import wait_for

from nlp_transfer import finetune, load_recipe
from nlp_transfer.runs.run_folder import RunFolder

RECIPES = Path(__file__).parent.parent / "recipes"


def _launch(
    launcher: list[str], recipe: Path, output: Path, *, timeout: int = 240
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [
            sys.executable,
            *launcher,
            *("-m", "nlp_transfer", "finetune", "--recipe", str(recipe)),
            *("--output", str(output), "--json"),
        ],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


LAUNCHERS = {
    "torchrun": ["-m", "torch.distributed.run", "--nproc_per_node", "2"],
    "accelerate": [
        *("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
        *("--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"),
        *("--main_process_port", "0"),
    ],
}


def _same_weights(one: Path, two: Path, *, within: float) -> bool:
    left, right = load_file(one / "model.safetensors"), load_file(two / "model.safetensors")
    assert left.keys() == right.keys()
    return all(left[name].allclose(right[name], atol=within) for name in left)


def _alike(ours: object, theirs: object) -> bool:
    """Compare figures: counts exactly, and the scores of answers but for the order of sums."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_alike(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_alike, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, float):
        return abs(ours - theirs) < 1e-4
    return ours == theirs


@pytest.mark.parametrize(
    "launcher", ["torchrun", pytest.param("accelerate", marks=pytest.mark.slow)]
)
def test_two_processes_train_the_model_of_one(
    launcher: str, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    # The only difference is the order of floating-point sums: each window's dropout is the same.
    recipe = tiny_recipe("ner", training={"epochs": 1, "tokens_per_batch": 96})
    alone = finetune(load_recipe(str(recipe)), output=tmp_path / "one").metrics
    together = json.loads(_launch(LAUNCHERS[launcher], recipe, tmp_path / "two").stdout)
    assert together["training"]["world_size"] == 2
    assert together["training"]["steps"] == alone["training"]["steps"]
    assert _alike(together["splits"], alone["splits"])  # every example counted exactly once
    assert _same_weights(tmp_path / "one" / "model", tmp_path / "two" / "model", within=1e-5)
    lines = [len((tmp_path / run / "log.jsonl").read_text().splitlines()) for run in ("one", "two")]
    assert lines[0] == lines[1]  # written once, not once a process


def test_two_processes_learn_side_tasks_as_one_does(
    tiny_recipe: Callable[..., Path], classification_data: Path, tmp_path: Path
) -> None:
    side = {"task": {"name": "classification"}, "data": {"source": str(classification_data)}}
    recipe = tiny_recipe(
        strategy={"name": "multi_task", "side_tasks": {"topics": side}},
        training={"epochs": 1, "tokens_per_batch": 96},
    )
    alone = finetune(load_recipe(str(recipe)), output=tmp_path / "one").metrics
    together = json.loads(_launch(LAUNCHERS["torchrun"], recipe, tmp_path / "two").stdout)
    assert together["training"]["world_size"] == 2
    assert _alike(together["splits"], alone["splits"])
    assert _alike(together["tasks"], alone["tasks"])
    for part in ("model", "tasks/topics"):
        assert _same_weights(tmp_path / "one" / part, tmp_path / "two" / part, within=1e-4)


def test_two_processes_predict_what_one_does_in_the_same_order(
    trained_ner: Path, nlpt: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    texts = tmp_path / "texts.jsonl"
    rows = [{"uid": n, "text": f"Ada wrote {n} letters to Rome", "tags": n} for n in range(1300)]
    texts.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    outputs = [tmp_path / "alone.jsonl", tmp_path / "together.jsonl"]
    asked = [
        ["predict", trained_ner, texts, "-o", output, "--precision", "fp32"] for output in outputs
    ]
    assert nlpt(*asked[0])[0] == 0
    subprocess.run(
        [sys.executable, *LAUNCHERS["torchrun"], "-m", "nlp_transfer", *map(str, asked[1])],
        capture_output=True,
        timeout=240,
        check=True,
    )
    alone, together = (output.read_text("utf-8").splitlines() for output in outputs)
    answers = zip(map(json.loads, alone), map(json.loads, together), strict=True)
    for row, (one, two) in zip(rows, answers, strict=True):
        assert (one["text"], one["tags"]) == (two["text"], two["tags"])
        assert (one["uid"], one["text"], one["input_tags"]) == tuple(row.values())


@pytest.mark.slow
def test_two_processes_learn_the_names_of_the_quickstart_as_one_does(tmp_path: Path) -> None:
    recipe = tmp_path / "quickstart.yaml"
    text = (RECIPES / "quickstart-ner.yaml").read_text("utf-8")
    recipe.write_text(text + "  precision: fp32\n", "utf-8")
    alone, together = tmp_path / "one", tmp_path / "two"
    _launch([], recipe, alone, timeout=900)
    _launch(LAUNCHERS["torchrun"], recipe, together, timeout=900)
    same = [one == two for one, two in zip(_tags(alone), _tags(together), strict=True)]
    assert len(same) > 2500
    assert sum(same) / len(same) >= 0.995


@pytest.mark.slow
def test_dropout_of_whole_batches_is_the_same_where_the_batches_are(
    tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    """As on GPUs: what torch.compile makes of a model draws dropout for a batch as a whole."""
    compiled = {"torch_compile": True, "torch_compile_backend": "eager", "max_steps": 3}
    training = {"epochs": 1, "tokens_per_batch": 96, "arguments": compiled}
    recipe = tiny_recipe("ner", training=training)
    _launch(LAUNCHERS["torchrun"], recipe, tmp_path / "two", timeout=900)
    halves = tiny_recipe("ner", training={**training, "tokens_at_once": 60})
    _launch([], halves, tmp_path / "one", timeout=900)
    assert _same_weights(tmp_path / "one" / "model", tmp_path / "two" / "model", within=1e-5)


def _tags(run: Path) -> list[str]:
    """List the predicted tag of every word of the test split."""
    lines = (run / "predictions.jsonl").read_text("utf-8").splitlines()
    return [tag for line in lines for tag in json.loads(line)["tags"]]


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes_to_the_same_model(
    tiny_recipe: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A checkpoint a step, also in the middle of an epoch.
    training = {"epochs": 3, "tokens_per_batch": 96, "save_minutes": 0.0001}
    recipe = tiny_recipe("ner", training=training)
    loaded = load_recipe(str(recipe))
    whole, more, fewer = tmp_path / "whole", tmp_path / "more", tmp_path / "fewer"
    finetune(loaded, output=whole)

    with interrupted(at_step=11), pytest.raises(KeyboardInterrupt):
        finetune(loaded, output=more)
    said = _launch(LAUNCHERS["torchrun"], recipe, more).stderr
    assert "with 2 processes instead of 1: the steps stay the same, but for rounding" in said

    command = [sys.executable, *LAUNCHERS["torchrun"], "-m", "nlp_transfer", "finetune"]
    with subprocess.Popen(
        [*command, "--recipe", str(recipe), "--output", str(fewer)],
        stderr=subprocess.PIPE,
        text=True,
    ) as launcher:
        wait_for("epoch 1/", launcher)
        launcher.send_signal(signal.SIGTERM)
        launcher.stderr.read()
    with caplog.at_level("INFO", "nlp_transfer"):
        finetune(loaded, output=fewer)
    assert "with 1 process instead of 2: the steps stay the same, but for rounding" in caplog.text

    for run in (more, fewer):
        assert _same_weights(run / "model", whole / "model", within=1e-5)
        assert _tags(run) == _tags(whole)


@pytest.mark.slow
def test_a_signal_to_one_process_lets_all_save_and_end(
    tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = tiny_recipe("ner", training={"epochs": 400, "tokens_per_batch": 96})
    run = RunFolder(tmp_path / "run")
    command = [sys.executable, *LAUNCHERS["torchrun"], "-m", "nlp_transfer", "finetune"]
    with subprocess.Popen(
        [*command, "--recipe", str(recipe), "--output", str(run.path)],
        stderr=subprocess.PIPE,
        text=True,
    ) as launcher:
        wait_for("epoch 3/", launcher)
        workers = psutil.Process(launcher.pid).children()
        (other,) = (one for one in workers if one.environ()["RANK"] == "1")
        other.send_signal(signal.SIGUSR1)
        said = launcher.stderr.read()
    found = re.search(r"ended by SIGUSR1: the same command goes on after step (\d+) of", said)
    assert found, said
    assert not psutil.wait_procs(workers, timeout=60)[1]
    checkpoint = run.last_checkpoint()
    assert checkpoint is not None
    assert checkpoint.name == f"checkpoint-{found[1]}"
    assert {file.name for file in checkpoint.glob("rng_state*")} == {
        "rng_state_0.pth",
        "rng_state_1.pth",
    }
