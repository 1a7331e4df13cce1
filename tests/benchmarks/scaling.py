"""Training on 1, 2 and 4 processes of this machine: time and bytes a step.

    make bench-scaling                              1, 2 and 4 processes, one thread each
    make bench-scaling ARGS="--processes 1 2 4 8"

Strong: the batch stays the same and is shared. Weak: each process brings a batch of its own. LoRA
as strong. A row is the difference between a run of many steps and one of few, so that starting,
loading and the first steps are not in it. Bytes are what the loopback device has carried, where
nothing else talks through it (Linux); gloo sends each number over it 2 (N - 1) times.

Prints a table and, as the last line, one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.workers import Measured, in_turns, processor, run_module

_FEW, _MANY = 5, 25
_FULL = ("strategies=[{name: full}]", "training.learning_rate=2e-4")
_LORA = ("strategies=[{name: lora}]", "training.learning_rate=1e-3")


def main() -> None:
    """Measure all and print what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--pieces", type=int, default=2048, help="of a step, of all processes")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        sides = {
            f"{kind} {count}": partial(_a_step, Path(folder), kind, count, options.pieces)
            for kind in ("strong", "weak", "lora")
            for count in options.processes
        }
        measured = in_turns(sides, options.turns)
    rows = list(_rows(measured, options.processes))
    print("| | processes | ms a step | efficiency | MB a step |\n|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['kind']} | {row['processes']} | {1000 * row['seconds']:.0f} "
            f"| {row['efficiency']:.2f} | {row['megabytes']:.1f} |"
        )
    print(json.dumps({"processor": processor(), "cores": os.cpu_count(), "rows": rows}))


def _rows(measured: dict[str, Measured], counts: list[int]) -> Iterator[dict[str, Any]]:
    """Compare each with the fewest processes."""
    for side, figures in measured.items():
        kind, count = side.split()
        fewest = measured[f"{kind} {counts[0]}"]["seconds"]
        shared = 1 if kind == "weak" else int(count) / counts[0]
        efficiency = fewest / figures["seconds"] / shared
        yield {"kind": kind, "processes": int(count), "efficiency": efficiency, **figures}


def _a_step(folder: Path, kind: str, processes: int, pieces: int, turn: int) -> Measured:
    """Measure seconds and megabytes of a step."""
    batch = pieces // 4 * processes if kind == "weak" else pieces
    run = partial(_train, folder / f"{kind}-{processes}-{turn}", kind, processes, batch)
    few, many = run(_FEW), run(_MANY)
    return {name: (many[name] - few[name]) / (_MANY - _FEW) for name in few}


def _train(folder: Path, kind: str, processes: int, batch: int, steps: int) -> Measured:
    run = folder.with_name(f"{folder.name}-{steps}")
    before = _loopback_bytes()
    run_module(
        *("nlp_transfer", "finetune", "--recipe", "quickstart-ner", "--output", run),
        *("--processes", processes, f"training.tokens_per_batch={batch}"),
        *(_LORA if kind == "lora" else _FULL),
        f"training.arguments={{max_steps: {steps}, eval_strategy: 'no', save_strategy: 'no'}}",
    )
    training = json.loads((run / "metrics.json").read_text("utf-8"))["training"]
    return {
        "seconds": training["seconds"] - training["evaluation_seconds"],
        "megabytes": (_loopback_bytes() - before) / 1e6,
    }


def _loopback_bytes() -> int:
    """Return how many bytes the loopback device has received since the machine started."""
    devices = Path("/proc/net/dev").read_text("utf-8").splitlines()
    (loopback,) = (line.split() for line in devices if line.strip().startswith("lo:"))
    return int(loopback[1])


if __name__ == "__main__":
    main()
