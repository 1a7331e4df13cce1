"""Configurations of launchers are well-formed and start runs; without one nlpt starts its own."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from waiting import wait_for

ROOT = Path(__file__).parent.parent / "recipes"
ACCELERATE = sorted((ROOT / "accelerate").rglob("*"))
SCRIPTS = sorted((ROOT / "slurm").rglob("*"))
HAS_DEEPSPEED = importlib.util.find_spec("deepspeed") is not None


@pytest.mark.parametrize("file", ACCELERATE, ids=lambda file: file.stem)
def test_accelerate_reads_each_configuration(file: Path) -> None:
    config = load_config_from_file(str(file))
    assert config.mixed_precision == "no"  # the recipe decides
    assert config.num_processes >= config.num_machines
    assert f"--config_file {file.name}" in file.read_text("utf-8").partition("compute")[0]


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.stem)
def test_bash_reads_each_script(file: Path) -> None:
    assert file.read_text("utf-8").startswith("#!/bin/bash\n# sbatch ")
    subprocess.run(["bash", "-n", str(file)], check=True)


def test_every_configuration_is_one_that_a_test_reads() -> None:
    read = {*ACCELERATE, *SCRIPTS, ROOT / "kubernetes" / "job.yaml"}
    assert {path for path in ROOT.rglob("*") if path.is_file() and path.parent != ROOT} == read


def test_the_job_of_kubernetes_starts_as_many_processes_as_it_has_gpus() -> None:
    service, job = yaml.safe_load_all((ROOT / "kubernetes" / "job.yaml").read_text("utf-8"))
    pods = job["spec"]["template"]["spec"]
    (container,) = pods["containers"]
    gpus = container["resources"]["limits"]["nvidia.com/gpu"]
    assert f"--nproc_per_node={gpus}" in container["command"]
    assert f"--nnodes={job['spec']['completions']}" in container["command"]
    first = f"{job['metadata']['name']}-0.{service['metadata']['name']}:"
    assert any(f"endpoint={first}" in word for word in container["command"])


def test_configurations_are_copied_and_are_no_recipes(
    nlpt: Callable[..., tuple[int, str, str]],
) -> None:
    code, said, _ = nlpt("recipes", "copy", "accelerate/fsdp2.yaml")
    assert (code, said.startswith("fsdp2.yaml: accelerate launch --config_file")) == (0, True)
    assert Path("fsdp2.yaml").read_bytes() == (ROOT / "accelerate" / "fsdp2.yaml").read_bytes()
    assert nlpt("recipes", "copy", "accelerate/fsdp2.yaml")[0] == 2
    assert "fsdp2" not in nlpt("recipes", "list")[1]


def _run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "wrapped"),
    [("one-gpu", None), ("cpu", "ddp"), ("ddp", "ddp"), ("fsdp2", "fsdp2")]
    + [("zero-2", "zero-2"), ("zero-3", "zero-3")] * HAS_DEEPSPEED,
)
def test_accelerate_starts_runs_by_each_configuration_here(
    name: str, wrapped: str | None, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    file = ROOT / "accelerate" / f"{name}.yaml"
    count = ["--num_processes", "1" if wrapped is None else "2"]
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(file)]
    recipe = ["finetune", "--recipe", str(tiny_recipe(training={"epochs": 1}))]
    done = _run(
        [*launcher, *count, "-m", "nlp_transfer", *recipe, "--output", str(tmp_path / "run")]
    )
    assert done.returncode == 0, done.stderr[-3000:]
    training = json.loads((tmp_path / "run" / "metrics.json").read_text("utf-8"))["training"]
    assert training["wrapped"] == wrapped


@pytest.mark.slow
def test_the_line_of_the_script_for_several_nodes_starts_a_run(
    tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    script = (ROOT / "slurm" / "nodes.sh").read_text("utf-8")
    found = re.search(r"^srun (torchrun .*?\"\$@\")$", script, re.MULTILINE | re.DOTALL)
    assert found
    done = _run(
        [
            "bash",
            "-c",
            f"cd {shlex.quote(str(tmp_path))}; {found[1]}",
            "nodes.sh",
            "data.format=conll",
        ],
        recipe=str(tiny_recipe(training={"epochs": 1}, path=tmp_path / "tiny.yaml")),
        head="localhost",
        PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        SLURM_NNODES="1",
        SLURM_GPUS_ON_NODE="2",
        SLURM_JOB_ID="7",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (metrics,) = tmp_path.glob("runs/**/metrics.json")
    assert json.loads(metrics.read_text("utf-8"))["training"]["world_size"] == 2


def _own(recipe: Path, output: Path, *options: str) -> list[str]:
    command = [sys.executable, "-m", "nlp_transfer", "finetune", "--recipe", str(recipe)]
    return [*command, "--output", str(output), "--processes", "2", *options]


@pytest.mark.slow
def test_nlpt_starts_several_processes_itself(
    tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    recipe, scratch = tiny_recipe(training={"epochs": 1}), tmp_path / "scratch"
    scratch.mkdir()
    done = _run(_own(recipe, tmp_path / "run", "--json"), TMPDIR=str(scratch))
    assert done.returncode == 0, done.stderr
    (report,) = [line for line in done.stdout.splitlines() if line.startswith("{")]  # one alone
    assert json.loads(report)["training"]["world_size"] == 2
    assert len(re.findall(r"^epoch 1/1", done.stderr, re.MULTILINE)) == 1
    assert not [path for path in scratch.iterdir() if "elastic" in path.name or "nlpt" in path.name]
    done = _run(_own(recipe, tmp_path / "other", "data.source=nowhere/at-all"))
    assert done.returncode == 2
    assert done.stderr.count("there is no file or folder") == 1, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_lets_processes_that_nlpt_started_save_and_end(
    number: signal.Signals, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = tiny_recipe(training={"epochs": 400, "tokens_per_batch": 96})
    with subprocess.Popen(
        _own(recipe, tmp_path / "run"), stderr=subprocess.PIPE, text=True
    ) as launcher:
        wait_for("epoch 3/", launcher)
        workers = psutil.Process(launcher.pid).children()
        launcher.send_signal(number)
        said = launcher.stderr.read()
    assert len(re.findall("the same command goes on after step", said)) == 1, said
    assert "Traceback" not in said
    assert launcher.returncode == 128 + number
    assert not psutil.wait_procs(workers, timeout=60)[1]


@pytest.mark.slow
def test_a_process_that_is_killed_ends_all(
    tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = tiny_recipe(training={"epochs": 400, "tokens_per_batch": 96})
    with subprocess.Popen(
        _own(recipe, tmp_path / "run"), stderr=subprocess.PIPE, text=True
    ) as launcher:
        wait_for("epoch 3/", launcher)
        workers = psutil.Process(launcher.pid).children()
        workers[1].kill()
        launcher.stderr.read()
    assert launcher.returncode == 128 + signal.SIGKILL
    assert not psutil.wait_procs(workers, timeout=60)[1]
