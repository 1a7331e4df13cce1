"""Runs that are killed at every moment: each goes on at its first restart, to the same end.

    make test-faults                        60 kills, drawn from all of their kinds
    make test-faults ARGS="--kills 12"      fewer

A kind: 1 or 2 processes; KILL, TERM or INT; to the process, or to the launcher, one worker or all
of a group; while the run loads, encodes, steps, saves, evaluates, writes its results or cleans up.
Of each it is checked that no process outlives it, that the same command ends with the weights and
the predictions of a run that was left alone, and that nothing else is left over. Prints a tally;
exit code 1 where a run was wrong, whose folder is kept.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from tests.faults.launched import Launched

_STEPS_AN_EPOCH = 7
_TRAINING = {
    "epochs": 4,
    "tokens_per_batch": 128,
    "save_minutes": 0.005,
    "arguments": {"logging_steps": 1},
}
_AFTERMATH = 60.0
"""Seconds that processes may go on after a signal; a step has 20, see training/save_points.py."""
_WHOLE = 600.0

Moment = Callable[[Launched], bool]

MOMENTS: dict[str, tuple[Moment, float]] = {
    "load": (lambda run: "reading the data" in run.said(), 0.5),
    "encode": (lambda run: "start at random" in run.said(), 1.0),
    "step": (lambda run: any(run.output.glob("checkpoints/checkpoint-*")), 2.0),
    "save": (lambda run: any(run.output.glob("checkpoints/.saving/*")), 0.02),
    "evaluate": (lambda run: _has_ended_an_epoch(run.last_logged()), 0.2),
    "write": (lambda run: any(run.output.glob("*model*")), 1.0),
    "clean up": (lambda run: (run.output / "metrics.json").exists(), 0.01),
}
"""What is seen of a run that has come to a moment, and after how many seconds at most it is hit."""


@dataclass(frozen=True)
class Kill:
    """What is done to a run."""

    processes: int
    target: str
    signal: signal.Signals
    moment: str
    delay: float
    """Seconds after the moment is seen."""

    def __str__(self) -> str:
        return f"{self.signal.name} to the {self.target} of {self.processes}, {self.moment}"


@dataclass(frozen=True)
class Outcome:
    """What became of it."""

    kill: Kill
    in_time: bool
    """It was running when the signal came."""
    wrong: tuple[str, ...]


def kinds() -> Iterator[tuple[int, str, signal.Signals, str]]:
    """List every kind of kill."""
    targets = [(1, "process"), (2, "launcher"), (2, "worker"), (2, "group")]
    signals = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    for (processes, target), number, moment in product(targets, signals, MOMENTS):
        yield processes, target, number, moment


def drawn(count: int, *, seed: int) -> list[Kill]:
    """Draw kills, each kind as often as the others, at most once more."""
    order = random.Random(seed)
    found: list[Kill] = []
    while len(found) < count:
        all_kinds = list(kinds())
        order.shuffle(all_kinds)
        found += [Kill(*kind, order.uniform(0, MOMENTS[kind[-1]][1])) for kind in all_kinds]
    return found[:count]


class Bench:
    """A tiny recipe, and the run of it that nobody disturbs, for 1 and for 2 processes."""

    def __init__(self, folder: Path, processes: Sequence[int]) -> None:
        """Write the recipe, and run it once for each number of processes."""
        from tests.tiny import build_checkpoint, tagged_sentences, write_conll, write_recipe

        self._folder = folder
        data = folder / "data"
        data.mkdir(parents=True)
        for seed, (split, count) in enumerate({"train": 48, "validation": 300, "test": 24}.items()):
            write_conll(data / f"{split}.conll", tagged_sentences(count, seed=seed))
        self._recipe = write_recipe(
            folder / "tiny.yaml", task="ner", data=data, strategy="full", training=_TRAINING,
            checkpoint=build_checkpoint("bert", folder / "checkpoint"),
        )  # fmt: skip
        self._undisturbed = {n: self._undisturbed_run(n) for n in processes}

    def _undisturbed_run(self, processes: int) -> dict[str, object]:
        run = self._launch(f"undisturbed-{processes}", processes)
        if run.wait(_WHOLE) != 0:
            raise SystemExit(f"the run that nobody disturbs failed:\n{run.said()[-3000:]}")
        found = _ends_with(run.output)
        assert found["steps"] == _STEPS_AN_EPOCH * int(str(_TRAINING["epochs"]))
        return found

    def _launch(self, name: str, processes: int) -> Launched:
        return Launched(
            self._recipe,
            self._folder / name,
            processes=processes,
            scratch=self._folder / f"{name}-tmp",
        )

    def outcome(self, kill: Kill, name: str) -> Outcome:
        """Kill a run, start it again once, and look at what it ends with."""
        run = self._launch(name, kill.processes)
        moment, _ = MOMENTS[kill.moment]
        while run.is_running and not moment(run):
            time.sleep(0.001)
        time.sleep(kill.delay)
        in_time = run.is_running
        run.send(kill.signal, kill.target)
        wrong = [
            f"{process.pid} lives {_AFTERMATH:.0f} s later" for process in run.outlived(_AFTERMATH)
        ]
        if kill.processes == 1 and "Traceback" in run.said():  # torchrun prints some of its own
            wrong.append(f"a traceback:\n{run.said()[-2000:]}")
        again = self._launch(name, kill.processes)
        code = again.wait(_WHOLE)
        if code != 0:
            again.outlived(0)
            wrong.append(f"the restart ended with {code}:\n{again.said()[-2000:]}")
        else:
            wrong += self._differences(run.output, kill.processes)
            wrong += [f"left over: {path}" for path in _left_over(run)]
        if not wrong:
            for path in self._folder.glob(f"{name}*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return Outcome(kill, in_time, tuple(wrong))

    def _differences(self, output: Path, processes: int) -> list[str]:
        found, expected = _ends_with(output), self._undisturbed[processes]
        return [f"other {name} than undisturbed" for name in found if found[name] != expected[name]]


def _has_ended_an_epoch(logged: dict[str, float]) -> bool:
    return "loss" in logged and logged["step"] % _STEPS_AN_EPOCH == 0


def _ends_with(run: Path) -> dict[str, object]:
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    return {
        "weights": (run / "model" / "model.safetensors").read_bytes(),
        "predictions": (run / "predictions.jsonl").read_bytes(),
        "figures": metrics["splits"],
        "steps": metrics["training"]["steps"],
    }


def _left_over(run: Launched) -> Iterator[Path]:
    """List what neither a finished run nor anything else needs."""
    yield from run.output.rglob(".*")
    yield from run.output.glob("checkpoints")
    for path in run.scratch.iterdir():
        if not path.name.startswith("torchelastic_"):  # torchrun leaves one after every run
            yield path


def tally(outcomes: Sequence[Outcome]) -> str:
    """Write how many runs of each kind ended right; `in time`: the signal found them running."""
    lines = ["| killed | runs | in time | right |", "|---|---|---|---|"]
    groups: dict[str, list[Outcome]] = {}
    for name in (_all, _moment, _signal, _target):
        for outcome in outcomes:
            groups.setdefault(name(outcome.kill), []).append(outcome)
    for title, group in groups.items():
        in_time = sum(outcome.in_time for outcome in group)
        right = sum(not outcome.wrong for outcome in group)
        lines.append(f"| {title} | {len(group)} | {in_time} | {right} |")
    return "\n".join(lines)


def _all(_: Kill) -> str:
    return "all"


def _moment(kill: Kill) -> str:
    return f"while it is to {kill.moment}"


def _signal(kill: Kill) -> str:
    return f"by {kill.signal.name}"


def _target(kill: Kill) -> str:
    return f"sent to the {kill.target} of {kill.processes}"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="an empty folder; by default a temporary one")
    options = parser.parse_args()
    folder = options.out or Path(tempfile.mkdtemp(prefix="nlpt-faults-"))
    outcomes = list(run_all(drawn(options.kills, seed=options.seed), folder))
    print(tally(outcomes))
    if any(outcome.wrong for outcome in outcomes):
        raise SystemExit(f"kept: {folder}")
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)


def run_all(kills: Sequence[Kill], folder: Path) -> Iterator[Outcome]:
    """Kill one run after the other; say at once what is wrong."""
    bench = Bench(folder, sorted({kill.processes for kill in kills}))
    for number, kill in enumerate(kills):
        outcome = bench.outcome(kill, f"run-{number}")
        print(f"{number + 1}/{len(kills)} {kill}: {'; '.join(outcome.wrong) or 'right'}",
              file=sys.stderr, flush=True)  # fmt: skip
        yield outcome


if __name__ == "__main__":
    main()
