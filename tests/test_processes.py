"""Two real processes see and count exactly what one does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file


def _launch(launcher: list[str], recipe: Path, output: Path) -> str:
    done = subprocess.run(
        [
            sys.executable,
            *launcher,
            *("-m", "nlp_transfer", "finetune", "--recipe", str(recipe)),
            *("--output", str(output), "--json"),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


LAUNCHERS = {
    "torchrun": ["-m", "torch.distributed.run", "--nproc_per_node", "2"],
    "accelerate": [
        *("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
        *("--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"),
        *("--main_process_port", "0"),
    ],
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_train_the_model_of_one(
    launcher: str, tiny_recipe: Callable[..., Path], checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    # Without dropout the only difference left is the order of floating-point sums.
    still = checkpoint("bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    recipe = tiny_recipe("ner", checkpoint=still, training={"epochs": 1, "tokens_per_batch": 96})
    alone = json.loads(_launch([], recipe, tmp_path / "one"))
    together = json.loads(_launch(LAUNCHERS[launcher], recipe, tmp_path / "two"))
    assert together["training"]["world_size"] == 2
    assert together["training"]["steps"] == alone["training"]["steps"]
    assert together["splits"] == alone["splits"]  # every example counted exactly once
    one = load_file(tmp_path / "one" / "model" / "model.safetensors")
    two = load_file(tmp_path / "two" / "model" / "model.safetensors")
    assert one.keys() == two.keys()
    assert all(one[name].allclose(two[name], atol=1e-5) for name in one)
    lines = [len((tmp_path / run / "log.jsonl").read_text().splitlines()) for run in ("one", "two")]
    assert lines[0] == lines[1]  # written once, not once a process
