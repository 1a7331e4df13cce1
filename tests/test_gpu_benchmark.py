"""The benchmark of GPUs, as far as a machine without one can try it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nlp_transfer.models.packing import FAMILIES as PACKED
from tests.benchmarks.gpu import LIMITS


def _benchmark(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.benchmarks.gpu", *map(str, arguments)]
    root = Path(__file__).parent.parent
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so() -> None:
    done = _benchmark()
    assert done.returncode == 2
    assert "There is no GPU here." in done.stdout


def test_it_takes_less_than_eight_minutes() -> None:
    assert sum(LIMITS.values()) < 8 * 60


def test_a_part_that_takes_too_long_does_not_end_the_others() -> None:
    parts = ("--parts", "families", "resume")
    done = _benchmark("--device", "cpu", "--tiny", "--patience", 1e-4, *parts)
    assert done.returncode == 1
    found = json.loads(done.stdout.splitlines()[-1])["parts"]
    assert list(found) == ["families", "resume"]
    assert all("not done within" in rows[-1]["found"] for rows in found.values())


@pytest.mark.slow
def test_every_part_runs_on_tiny_models() -> None:
    done = _benchmark("--device", "cpu", "--tiny", "--turns", 1, "--patience", 10)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])["parts"]
    assert found.keys() == LIMITS.keys()
    assert len(found["families"]) == 10 + len(PACKED)
    assert all(row["ok"] for rows in found.values() for row in rows)
