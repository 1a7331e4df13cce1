"""Every way of transferring on the same data and checkpoint: which help, and what they cost.

    make bench-strategies                                          embedded data
    make bench-strategies DATA=folder ARGS="--rows full lora"      crossner, wnut17, banking77 in it

Data sets and rows, and the recipe keys that make them, stand in strategies.yaml beside this file.
Every run is a process of its own on one core, `--jobs` of them at a time. The figures of each are
written to `--results` as soon as it has ended, and what stands there is not run again, so the
command can be stopped and started, here or on another machine. Prints the tables, which name what
is not measured yet.

The figures of docs/strategies.md are kept in strategies.jsonl beside this file:

    make bench-strategies DATA=folder ARGS="--results tests/benchmarks/strategies.jsonl"
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import yaml

from tests.benchmarks.few_shot import write_few_shot
from tests.benchmarks.names import write_names

_SPECIFICATION = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class Run:
    """One row of the table on one data set with one seed."""

    data: str
    row: str
    seed: int
    folder: Path
    commands: tuple[str, ...]
    """Arguments of nlpt, in order; the last command makes `folder`."""


@dataclass(frozen=True)
class Result:
    """What a run reached, in percent, and what it cost."""

    data: str
    row: str
    seed: int
    validation: float
    test: float
    seconds: int
    """Of one processor, for all of the commands: reading, training, evaluating, writing."""
    trainable: int
    megabytes: float
    """Of what must be kept for prediction: the adapter where there is one, else the model."""


class Results:
    """The figures of all runs so far, kept in a file of one JSON object a line."""

    def __init__(self, path: Path, specification: Mapping[str, Any]) -> None:
        self.path = path
        self.specification = specification
        lines = path.read_text("utf-8").splitlines() if path.is_file() else ()
        self.rows = [Result(**json.loads(line)) for line in lines]
        self._writing = Lock()

    def has(self, run: Run) -> bool:
        """Tell whether a run need not be run."""
        return any((r.data, r.row, r.seed) == (run.data, run.row, run.seed) for r in self.rows)

    def add(self, result: Result) -> None:
        """Keep a result, in the order of the specification."""
        data, rows = list(self.specification["data"]), list(self.specification["rows"])
        with self._writing:
            self.rows.append(result)
            self.rows.sort(key=lambda r: (data.index(r.data), rows.index(r.row), r.seed))
            lines = "".join(json.dumps(asdict(row)) + "\n" for row in self.rows)
            whole = self.path.with_suffix(".new")
            whole.write_text(lines, "utf-8")
            whole.replace(self.path)

    def tables(self) -> str:
        """Write a table for each data set that has results."""
        tables = (
            _table(data, self.rows, self.specification) for data in self.specification["data"]
        )
        return "\n".join(filter(None, tables))


def main() -> None:
    """Run what is missing and print the tables."""
    options = _options()
    specification = yaml.safe_load(_SPECIFICATION.read_text("utf-8"))
    options.out.mkdir(parents=True, exist_ok=True)
    results = Results(options.results or options.out / "results.jsonl", specification)
    if not options.tables:
        missing = [run for run in _runs(specification, options) if not results.has(run)]
        with ThreadPoolExecutor(options.jobs) as pool:
            list(pool.map(partial(_measure, results), missing))
    print(results.tables())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the data sets; else embedded data")
    parser.add_argument("--sets", nargs="+", help="only these data sets")
    parser.add_argument("--rows", nargs="+", help="only these rows")
    parser.add_argument("--seeds", nargs="+", type=int, default=[42, 43, 44])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tables", action="store_true", help="run nothing, print what has run")
    parser.add_argument("--results", type=Path, help="where figures are kept (OUT/results.jsonl)")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-strategies"))
    return parser.parse_args()


def _runs(specification: Mapping[str, Any], options: argparse.Namespace) -> Iterator[Run]:
    """List the runs: by seed first, so that a stopped benchmark has whole rows of few seeds."""
    for seed in options.seeds:
        for data, section in specification["data"].items():
            if (options.sets and data not in options.sets) or (
                bool(options.data) == bool(section.get("embedded"))
            ):
                continue
            out = options.out / data
            places = {"data": options.data, "out": out, "seed": seed}
            base = _prepare(section, options.data, out, places)
            for row, keys in specification["rows"].items():
                if (options.rows and row not in options.rows) or not _applies(keys, data):
                    continue
                if seed not in options.seeds[: keys.get("seeds")]:
                    continue
                folder = out / f"{row}-{seed}"
                shared = () if keys.get("alone") else section["training"]
                own = [*keys.get("recipe", ()), *keys.get(data, ())]
                plain = ["--recipe", str(base), *_filled([*shared, "training.seed={seed}"], places)]
                recipe = shlex.join([*plain, *_filled(own, places)])
                before = _filled(keys.get("before", ()), {**places, "recipe": shlex.join(plain)})
                last = f"finetune {recipe} --output {shlex.quote(str(folder))}"
                yield Run(data, row, seed, folder, (*before, last))


def _prepare(section: Mapping[str, Any], data: Path, out: Path, places: Mapping[str, Any]) -> Path:
    """Make what a data set reads; returns the recipe that its rows change."""
    out.mkdir(parents=True, exist_ok=True)
    if "shots" in section:
        write_few_shot(data / section["shots"]["from"], out / "data", seed=42)
    if "names" in section:
        sources = [data / name for name in section["names"]["from"]]
        write_names(sources, data / section["names"]["types_of"], out)
    path = out / "base.yaml"
    (text,) = _filled([yaml.safe_dump({"name": "bench", **section["base"]})], places)
    path.write_text(text, "utf-8")
    return path


def _applies(keys: Mapping[str, Any], data: str) -> bool:
    """Tell whether a row is one of a data set."""
    return data in keys.get("only", (data,)) and data not in keys.get("not", ())


def _filled(texts: Sequence[str], places: Mapping[str, Any]) -> list[str]:
    """Fill in {name}; recipe values have braces of their own."""
    for name, value in places.items():
        texts = [text.replace(f"{{{name}}}", str(value)) for text in texts]
    return list(texts)


def _measure(results: Results, run: Run) -> None:
    """Run a row and keep its figures; one that fails is named on stderr and has none."""
    seconds = 0.0
    for command in run.commands:
        code, taken = _nlpt(command, run.folder.with_suffix(".log"))
        if code:
            print(f"{run.folder}: failed, see {run.folder}.log", file=sys.stderr)
            return
        seconds += taken
    results.add(_measured(run, seconds))
    shutil.rmtree(run.folder)  # all together they would fill a disk


def _nlpt(arguments: str, log: Path) -> tuple[int, float]:
    """Run a command; returns its exit status and the seconds that it took of a processor."""
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "nlp_transfer", *shlex.split(arguments)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def _measured(run: Run, seconds: float) -> Result:
    metrics = json.loads((run.folder / "metrics.json").read_text("utf-8"))
    adapter = run.folder / "adapter"
    kept = adapter if adapter.is_dir() else run.folder / "model"
    size = sum(file.stat().st_size for file in kept.glob("*.safetensors"))
    return Result(
        data=run.data,
        row=run.row,
        seed=run.seed,
        validation=round(_figure(metrics["splits"]["validation"]), 2),
        test=round(_figure(metrics["splits"]["test"]), 2),
        seconds=round(seconds),
        trainable=metrics["training"]["trainable_parameters"],
        megabytes=round(size / 1e6, 1),
    )


def _figure(split: Mapping[str, Any]) -> float:
    """Return entity F1 or accuracy, in percent."""
    if "entity" in split:
        return 100 * float(split["entity"]["overall"]["f1"])
    return 100 * float(split["class"]["accuracy"])


def _table(data: str, results: Sequence[Result], specification: Mapping[str, Any]) -> str:
    """Write a data set's rows; the difference is to `full` at the rate best on validation."""
    mine = [result for result in results if result.data == data]
    rows = {row: [r for r in mine if r.row == row] for row in specification["rows"]}
    rows = {row: found for row, found in rows.items() if found}
    if not rows:
        return ""
    full = [row for row in rows if row.startswith("full-")]
    best = max(full, key=lambda row: _mean(rows[row], "validation"), default=None)
    lines = [
        f"### {specification['data'][data]['title']}",
        "",
        "| row | validation | test | against full | seconds | trainable | MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for row, found in rows.items():
        gain = _mean(found, "test") - _mean(rows[best], "test") if best else 0.0
        mark = " (best of full)" if row == best else ""
        spread = f" ± {statistics.stdev(r.test for r in found):.1f}" if len(found) > 1 else ""
        lines.append(
            f"| {row}{mark} | {_mean(found, 'validation'):.1f} "
            f"| {_mean(found, 'test'):.1f}{spread} ({len(found)}) | {gain:+.1f} "
            f"| {_mean(found, 'seconds'):.0f} | {found[0].trainable:,} "
            f"| {found[0].megabytes:.1f} |"
        )
    missing = [
        row
        for row, keys in specification["rows"].items()
        if row not in rows and _applies(keys, data)
    ]
    if missing:
        lines += ["", f"Not measured: {', '.join(f'`{row}`' for row in missing)}."]
    return "\n".join([*lines, ""])


def _mean(results: Sequence[Result], figure: str) -> float:
    return statistics.mean(getattr(result, figure) for result in results)


if __name__ == "__main__":
    main()
