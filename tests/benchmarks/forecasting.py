"""How well runs on little data forecast the score on twice as much.

    make bench-curves                   the embedded data
    make bench-curves DATA=folder       wnut17, banking77, uner_da_ddt and ncbi_disease in it too
    make bench-curves ARGS="--kept"     nothing is trained: what has run is measured

Trains MiniLM on nested subsets (data.train_examples) of each data set, each size with several
seeds, into run folders OUT/SET-SIZE-SEED. Then a curve is fitted to all sizes up to n, at least
three, and what it says of 2n is held against the runs of 2n. What has run is not run again, so the
command can be stopped and started. Prints the table, and writes it to OUT/table.md.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_transfer.metrics.learning_curve import LEAST_SIZES
from nlp_transfer.studies.curve import Curve, Point
from nlp_transfer.studies.learning_curve import learning_curve

_SMALL = (25, 50, 100, 200, 400)
_LARGE = (50, 100, 200, 400, 800, 1600)
_EMBEDDED = {"newsroom": "quickstart-ner", "intents": "quickstart-intents"}
_IN_FOLDER = {
    "wnut17": (
        "quickstart-ner",
        "{train: wnut17train.conll, validation: emerging.dev.conll, test: emerging.test.annotated}",
    ),
    "uner_da_ddt": (
        "quickstart-ner",
        "{train: da_ddt-ud-train.iob2, validation: da_ddt-ud-dev.iob2, test: da_ddt-ud-test.iob2}",
    ),
    "ncbi_disease": ("quickstart-ner", "{train: train.tsv, validation: devel.tsv, test: test.tsv}"),
    "banking77": ("quickstart-intents", "{train: train.csv, validation: null, test: test.csv}"),
}
_TRAINING = (
    "strategies=[{name: frozen, layers: 1}, {name: layerwise_lr, decay: 0.85}]",
    "training.learning_rate=5e-4", "training.head_learning_rate=3e-3",
    "training.tokens_per_batch=256", "evaluation.splits=[validation]", "training.epochs=5",
)  # fmt: skip
# With the epochs alone, small sizes would end before they have learned.
_LEAST_STEPS = 400
_STEPS = (
    f"training.arguments={{max_steps: {_LEAST_STEPS}, eval_strategy: steps, eval_steps: 100, "
    "save_strategy: steps, save_steps: 100}"
)
_NAME = re.compile(r"(?P<data>.+)-(?P<size>\d+)-(?P<seed>\d+)")


@dataclass(frozen=True)
class Case:
    """A forecast of twice the data, and what came of it; fractions."""

    data: str
    known: tuple[Point, ...]
    forecast: tuple[float, float, float] | None
    """Value, low, high; None where the runs do not say."""
    measured: Point

    @property
    def error(self) -> float | None:
        return self.forecast[0] - self.measured.mean if self.forecast else None

    @property
    def is_within(self) -> bool:
        """Whether the interval holds what was measured."""
        return self.forecast is not None and (
            self.forecast[1] <= self.measured.mean <= self.forecast[2]
        )

    @property
    def repeated_gain(self) -> float:
        """Forecast the gain of the last doubling once more, for comparison."""
        last, before = self.known[-1].mean, self.known[-2].mean
        return min(1.0, 2 * last - before)


def main() -> None:
    """Train what is missing and print the table."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.kept:
        for name, arguments in _missing(options):
            _train(options.out / name, arguments)
    cases = [case for data, runs in _finished(options.out).items() for case in _cases(data, runs)]
    text = "\n".join([*_table(cases), "", *_summary(cases)])
    (options.out / "table.md").write_text(text + "\n", "utf-8")
    print(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the data sets; else embedded data")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--kept", action="store_true", help="train nothing, measure what has run")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-curves"))
    return parser.parse_args()


def _missing(options: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """List the runs that are to be made: the name of each, and how it is called."""
    for seed in options.seeds:
        for data, (recipe, keys, sizes) in _data_sets(options.data).items():
            for size in sizes:
                own = [*keys, f"data.train_examples={size}", f"training.seed={seed}"]
                yield f"{data}-{size}-{seed}", ["--recipe", recipe, *_TRAINING, *own]


def _data_sets(folder: Path | None) -> dict[str, tuple[str, list[str], tuple[int, ...]]]:
    """Return recipe, keys and sizes of each data set."""
    found: dict[str, tuple[str, list[str], tuple[int, ...]]] = {
        name: (recipe, [], _SMALL) for name, recipe in _EMBEDDED.items()
    }
    for name, (recipe, splits) in _IN_FOLDER.items() if folder else ():
        data = f"data={{source: {folder}/{name}, splits: {splits}}}"
        found[name] = (recipe, [data], _LARGE)
    return found


def _train(folder: Path, arguments: Sequence[str]) -> None:
    """Train for the epochs, or for the least steps where that is longer."""
    command = ["nlpt", "finetune", *arguments, "--output", str(folder)]
    with folder.with_suffix(".log").open("w") as log:
        tried = subprocess.run(
            [*command, "--dry-run", "--json"], stdout=subprocess.PIPE, stderr=log, check=True
        )
        if json.loads(tried.stdout)["steps"] < _LEAST_STEPS:
            command.append(_STEPS)
        done = subprocess.run(command, stdout=log, stderr=log, check=False)
    if done.returncode:
        print(f"{folder}: failed, see {folder}.log", file=sys.stderr)


def _finished(folder: Path) -> dict[str, dict[int, list[Mapping[str, Any]]]]:
    """Read what has run: by data set and size, the metrics of each seed."""
    found: dict[str, dict[int, list[Mapping[str, Any]]]] = {}
    for path in sorted(folder.glob("*/metrics.json")):
        if name := _NAME.fullmatch(path.parent.name):
            of_size = found.setdefault(name["data"], {}).setdefault(int(name["size"]), [])
            of_size.append(json.loads(path.read_text("utf-8")))
    return found


def _cases(data: str, runs: Mapping[int, Sequence[Mapping[str, Any]]]) -> Iterator[Case]:
    """Hold out every size that is twice another which has two more below it."""
    points = learning_curve(runs).overall.points
    for number in range(LEAST_SIZES, len(points)):
        known, measured = points[:number], points[number]
        if measured.size == 2 * known[-1].size:
            yield Case(data, known, Curve.through(known).at_twice, measured)


def _table(cases: Sequence[Case]) -> Iterator[str]:
    yield "| data | learned from | score there | forecast at twice | measured | error | within |"
    yield "|---|---:|---:|---:|---:|---:|:---:|"
    for case in cases:
        sizes = f"{case.known[0].size:,} to {case.known[-1].size:,}"
        if case.forecast is None or case.error is None:
            shown = ("none", str(case.measured), "", "")
        else:
            value, low, high = (f"{100 * fraction:.1f}" for fraction in case.forecast)
            yes = "yes" if case.is_within else "no"
            shown = (f"{value} ({low} to {high})", _percent(case.measured),
                     f"{100 * case.error:+.1f}", yes)  # fmt: skip
        yield f"| {' | '.join((case.data, sizes, _percent(case.known[-1]), *shown))} |"


def _percent(point: Point) -> str:
    runs = len(point.scores)
    spread = f" ± {100 * point.deviation:.1f}" if point.deviation is not None else ""
    return f"{100 * point.mean:.1f}{spread} ({runs} run{'s' * (runs > 1)})"


def _summary(cases: Sequence[Case]) -> Iterator[str]:
    """Say how often forecasts were right, of all cases and of the two largest of each data set."""
    largest = [
        case for data in dict.fromkeys(case.data for case in cases)
        for case in [one for one in cases if one.data == data][-2:]
    ]  # fmt: skip
    for what, chosen in (("all cases", cases), ("the two largest of each data set", largest)):
        errors = [abs(case.error) for case in chosen if case.error is not None]
        if not errors:
            continue
        near, held = sum(error <= 0.02 for error in errors), sum(one.is_within for one in chosen)
        same = statistics.fmean(abs(c.repeated_gain - c.measured.mean) for c in chosen)
        none = statistics.fmean(abs(c.known[-1].mean - c.measured.mean) for c in chosen)
        yield (
            f"{what}: {near} of {len(chosen)} within 2 points, {held} within the interval; mean "
            f"error {100 * statistics.fmean(errors):.1f} points (the last gain once more: "
            f"{100 * same:.1f}, no gain: {100 * none:.1f})"
        )


if __name__ == "__main__":
    main()
