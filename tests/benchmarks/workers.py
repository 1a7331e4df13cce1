"""Processes that a benchmark starts and measures."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

Measured = dict[str, Any]
_FEATURES = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


def run_module(module: str, *arguments: object) -> Measured:
    """Run a module as a process of its own.

    returns: what the last line on its stdout says, if that is a JSON object, with total_seconds and
             peak_mb (the most memory it had resident)
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        output.seek(0)
        errors.seek(0)
        if status:
            raise RuntimeError(f"{' '.join(command)}\n{errors.read().decode()[-3000:]}")
        last = output.read().decode().strip().splitlines()[-1:]
    figures = json.loads(last[0]) if last and last[0].startswith("{") else {}
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {
        **figures,
        "total_seconds": round(seconds, 2),
        "peak_mb": round(usage.ru_maxrss / unit),
    }


def processor() -> str:
    """Name the machine by what its processor can do."""
    import torch

    has = [name for name in _FEATURES if torch.cpu.get_capabilities().get(name)]
    return f"{torch.get_num_threads()} cores, {', '.join(has) or 'no AVX'}"


def in_turns(
    sides: Mapping[str, Callable[[int], Measured]], turns: int, *, seconds: float = math.inf
) -> dict[str, Measured]:
    """Run each side once a turn, so that what else the machine does meets all of them.

    sides:   measure a side, given the number of the turn
    seconds: no turn after the first begins that would end later, as long as those before took
    returns: the median of every figure of each side
    """
    runs: dict[str, list[Measured]] = {side: [] for side in sides}
    began = time.monotonic()
    for turn in range(turns):
        if turn and (time.monotonic() - began) * (turn + 1) / turn > seconds:
            print(f"  no time for turn {turn + 1}", file=sys.stderr)
            break
        for side, measure in sides.items():
            runs[side].append(measure(turn))
            print(f"  turn {turn + 1}, {side}: {runs[side][-1]}", file=sys.stderr)
    return {side: _medians(measured) for side, measured in runs.items()}


def _medians(runs: Sequence[Measured]) -> Measured:
    return {name: median(run[name] for run in runs) for name in runs[0]}
