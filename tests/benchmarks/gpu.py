"""What there is to know of one GPU, within 8 minutes: is it right, how fast, next to the stock way.

    python -m tests.benchmarks.gpu                       on a machine with a GPU
    python -m tests.benchmarks.gpu --parts families speed-conll
    python -m tests.benchmarks.gpu --device cpu --tiny   all parts on tiny models, to try the script

Needs no network and no files but the repository: data, tokenizers and weights (random, of the size
of BERT-base) are made on the spot. Each part is a process with a time limit of its own; one that
fails does not end the others. Prints a Markdown table, and as the last line one JSON object. Exit
code 0: every part ran and found all right; 1: one did not; 2: there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]

LIMITS = {
    "families": 45,
    "options": 75,
    "resume": 45,
    "speed-conll": 120,
    "speed-imdb": 120,
    "prediction": 60,
}
"""Seconds that each part may take: together below 8 minutes."""


def main() -> int:
    """Run the parts, one after the other, and print what they found."""
    options = _options()
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        print("There is no GPU here. --device cpu --tiny runs all parts on tiny models.")
        return 2
    device = _device_name(options.device)
    found: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory(prefix="nlpt-gpu-") as folder:
        for part in options.parts:
            began = time.monotonic()
            found[part] = _run_part(part, options, Path(folder))
            print(f"{part}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(_markdown(device, found))
    print(json.dumps({"device": device, "torch": torch.__version__, "parts": found}))
    return 0 if all(row["ok"] for rows in found.values() for row in rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="tiny models and little data")
    parser.add_argument("--parts", nargs="+", choices=[*LIMITS], default=[*LIMITS])
    parser.add_argument("--turns", type=int, default=2, help="of each side, where sides compete")
    parser.add_argument("--patience", type=float, default=1, help="times the limits of time")
    return parser.parse_args()


def _device_name(device: str) -> str:
    import torch

    if device == "cpu":
        return "CPU"
    facts = torch.cuda.get_device_properties(0)
    return f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB"


def _run_part(part: str, options: argparse.Namespace, folder: Path) -> list[Row]:
    """Run a part as a process; what goes wrong becomes a row."""
    command = [sys.executable, "-m", "tests.benchmarks.gpu_parts", part, str(folder)]
    command += ["--device", options.device, "--turns", str(options.turns)]
    command += ["--seconds", str(LIMITS[part] * options.patience)]
    command += ["--tiny"] if options.tiny else []
    offline = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if options.device == "cpu" else {}
    limit = LIMITS[part] * options.patience
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            env={**os.environ, **offline, **hidden, "NLPT_CACHE": str(folder / "cache")},
        ) as process,
    ):
        try:
            out, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the sides that it has started too
            out, _ = process.communicate()
            return [*_rows(out), _failed("the part", f"not done within {limit:.0f} s")]
        if process.returncode == 0:
            return _rows(out)
        errors.seek(0)
        said = errors.read().strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
        print("\n".join(said), file=sys.stderr)
        return [*_rows(out), _failed("the part", said[0][:200])]


def _rows(out: str) -> list[Row]:
    """Read the rows that a part has printed, one a line."""
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def _failed(what: str, why: str) -> Row:
    return {"what": what, "found": why, "ok": False}


def _markdown(device: str, found: Mapping[str, Iterable[Row]]) -> str:
    """Make one table of all rows."""
    lines = [f"{device}", "", "| part | what | found | |", "|---|---|---|---|"]
    for part, rows in found.items():
        for row in rows:
            mark = "" if row["ok"] else "**not right**"
            lines.append(f"| {part} | {row['what']} | {row['found']} | {mark} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
