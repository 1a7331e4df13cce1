"""Processes of one run: they are alike, or end at once with one clear line; and end together."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from waiting import wait_for

pytestmark = pytest.mark.slow

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
ENDLESS = {"epochs": 5000, "tokens_per_batch": 96, "save_minutes": 0.01}


def _script(folder: Path, *of_each: str) -> list[str]:
    """Write what a launcher starts: `nlpt` with other arguments and in another folder by number."""
    script = folder / "each.sh"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} -m nlp_transfer {' '.join(of_each)}\n")
    script.chmod(0o755)
    return [*TORCHRUN, "--no-python", str(script)]


def _ends(command: list[str], folder: Path) -> tuple[list[int], str]:
    """Wait for a group that is to end by itself; return the exit code of each, and what is said."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 1
    said, _, launcher = done.stderr.partition("failed (exitcode")
    codes = [int(code) for code in re.findall(r"exitcode +: (-?\d+)", launcher)]
    return codes, said


@pytest.fixture
def recipe(tiny_recipe: Callable[..., Path]) -> Path:
    return tiny_recipe("ner", training=ENDLESS)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("training.seed=$((40+RANK))", "training.seed: 41, not 40"),
        ("$([ $RANK = 1 ] && echo --fresh)", "--fresh: True, not False"),
    ],
)
def test_processes_with_other_commands_end_with_one_line(
    recipe: Path, tmp_path: Path, argument: str, said: str
) -> None:
    command = _script(tmp_path, "finetune", "-r", str(recipe), "-o run", argument)
    codes, err = _ends(command, tmp_path)
    assert codes == [2, 2]
    assert re.findall(r"(?m)^.*(?:error|process \d+).*$", err)[0].startswith("error: process 1 (on")
    assert err.count("error: ") == 1
    assert f"  {said}\n" in err
    assert not (tmp_path / "run").exists()


def test_processes_that_read_other_data_end_before_training(
    recipe: Path, tmp_path: Path, ner_data: Path
) -> None:
    for number in (0, 1):
        (tmp_path / f"{number}" / "data").mkdir(parents=True)
        for file in ner_data.iterdir():
            text = file.read_text("utf-8").replace("Rome", ["Rome", "Roma"][number])
            (tmp_path / f"{number}" / "data" / file.name).write_text(text, "utf-8")
    command = _script(
        tmp_path, "finetune", "-r", str(recipe), "-o run", "data.source=$PWD/$RANK/data"
    )
    codes, err = _ends(command, tmp_path)
    assert codes == [2, 2]
    assert err.count("error: ") == 1
    assert "read.train split.sha256: " in err
    assert not (tmp_path / "run").exists()


@contextlib.contextmanager
def _in_training(
    recipe: Path, run: Path, *more: str
) -> Iterator[tuple[subprocess.Popen[str], dict[str, psutil.Process]]]:
    """Start two processes that do not end by themselves; yield launcher and workers by number."""
    command = [*TORCHRUN, "-m", "nlp_transfer", "finetune", "-r", str(recipe), "-o", str(run)]
    with subprocess.Popen([*command, *more], stderr=subprocess.PIPE, text=True) as launcher:
        wait_for("epoch ", launcher)
        workers = psutil.Process(launcher.pid).children()
        try:
            yield launcher, {worker.environ()["RANK"]: worker for worker in workers}
        finally:
            launcher.kill()
            for worker in workers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker.kill()


def test_workers_end_with_a_killed_launcher_and_the_run_goes_on(
    recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with _in_training(recipe, run) as (launcher, workers):
        launcher.kill()
        assert not psutil.wait_procs(workers.values(), timeout=15)[1]
    with _in_training(recipe, run) as (_, workers):  # at the first restart
        assert workers.keys() == {"0", "1"}


@pytest.mark.parametrize("number", ["0", "1"])
def test_a_killed_worker_ends_all(recipe: Path, tmp_path: Path, number: str) -> None:
    with _in_training(recipe, tmp_path / "run") as (launcher, workers):
        workers[number].kill()
        assert not psutil.wait_procs(workers.values(), timeout=60)[1]
        assert launcher.stderr
        said = launcher.stderr.read()
    assert "Traceback" not in said.partition("exitcode")[0]
    if number == "1":  # its launcher or the broken connection may come first
        assert "another process of this run has ended" in said or "ended by SIGTERM" in said


def test_a_worker_that_does_not_answer_ends_all_within_the_time(
    recipe: Path, tmp_path: Path
) -> None:
    short = "training.timeout_minutes=1"
    with _in_training(recipe, tmp_path / "run", short) as (launcher, workers):
        workers["1"].send_signal(signal.SIGSTOP)
        assert launcher.stderr
        for line in launcher.stderr:
            if "error: another process of this run has ended" in line:
                break
        else:
            raise AssertionError("it was not said")
        assert "within 1 min (training.timeout_minutes)" in line
        workers["1"].send_signal(signal.SIGCONT)
        assert not psutil.wait_procs(workers.values(), timeout=60)[1]


def test_a_second_group_is_refused_and_both_its_processes_say_so_once(
    recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with _in_training(recipe, run) as (_, workers):
        command = [*TORCHRUN, "-m", "nlp_transfer", "finetune", "-r", str(recipe), "-o", str(run)]
        codes, err = _ends(command, tmp_path)
        assert codes == [2, 2]
        assert err.count("error: ") == 1
        owner = f"process {workers['0'].pid} on {os.uname().nodename}"
        assert f"{run} is in use: {owner}" in err
        assert all(worker.is_running() for worker in workers.values())
