"""Ours against the stock way: same data, same checkpoint, same machine, in turns.

    make bench                                  embedded data
    make bench DATA=folder ARGS="--epochs 20"   your data

Prints a table and, as the last line, one JSON object. Every run is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Run both sides and print what they reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="samples/newsroom", help="folder with NER splits")
    parser.add_argument("--splits", type=json.loads, default={}, help="file names by split, JSON")
    parser.add_argument("--recipe", default="quickstart-ner")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--our-epochs", type=float, default=None, help="if not --epochs")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("overrides", nargs="*", help="recipe keys for our side")
    options = parser.parse_args()
    turns: dict[str, list[dict[str, Any]]] = {"stock": [], "ours": []}
    for turn in range(options.turns):
        turns["stock"].append(_stock(options, seed=42 + turn))
        turns["ours"].append(_ours(options, seed=42 + turn))
    result = {side: _median(runs) for side, runs in turns.items()}
    result["speed_ratio"] = round(
        result["stock"]["train_seconds"] / result["ours"]["train_seconds"], 2
    )
    print(f"{'':8} {'entity F1':>10} {'training s':>11} {'everything s':>13}")
    for side in turns:
        row = result[side]
        print(
            f"{side:8} {row['entity_f1']:>10.4f} {row['train_seconds']:>11.1f} "
            f"{row['total_seconds']:>13.1f}"
        )
    print(json.dumps({"data": options.data, "turns": options.turns, **result}))


def _stock(options: argparse.Namespace, *, seed: int) -> dict[str, Any]:
    start = time.monotonic()
    lines = _run(
        "tests.benchmarks.stock",
        *("--source", options.data, "--splits", json.dumps(options.splits)),
        *("--epochs", str(options.epochs), "--seed", str(seed)),
    )
    return {**json.loads(lines[-1]), "total_seconds": round(time.monotonic() - start, 1)}


def _ours(options: argparse.Namespace, *, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        lines = _run(
            "nlp_transfer",
            *("finetune", "--recipe", options.recipe, "--output", str(Path(folder, "run"))),
            *("--json", f"data.source={options.data}", f"data.splits={json.dumps(options.splits)}"),
            *(f"training.epochs={options.our_epochs or options.epochs}", f"training.seed={seed}"),
            *options.overrides,
        )
        metrics = json.loads(lines[-1])
        return {
            "train_seconds": metrics["training"]["seconds"],
            "total_seconds": round(time.monotonic() - start, 1),
            "entity_f1": round(metrics["splits"]["test"]["entity"]["overall"]["f1"], 4),
        }


def _run(module: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip().splitlines()


def _median(runs: list[dict[str, Any]]) -> dict[str, float]:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


if __name__ == "__main__":
    main()
