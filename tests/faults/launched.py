"""A run as processes of their own, one or a group: watched from outside, and sent signals."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import psutil

_MARK = "NLPT_FAULTS_RUN"
_TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node")


class Launched:
    """`nlpt finetune`, alone or under torchrun; its processes know each other by a mark.

    A launcher may start its workers in other process groups, so the mark, which every process
    inherits, tells which belong to it.
    """

    def __init__(self, recipe: Path, output: Path, *, processes: int, scratch: Path) -> None:
        """Start it.

        scratch: its TMPDIR; what it says goes to a file beside its output
        """
        self.output = output
        self.scratch = scratch
        self._mark = uuid4().hex
        self._said = output.with_name(f"{output.name}-{self._mark[:6]}.log")
        launcher = (*_TORCHRUN, str(processes)) if processes > 1 else ()
        scratch.mkdir(exist_ok=True)
        with self._said.open("w") as said:
            self._first = subprocess.Popen(
                [
                    *(sys.executable, *launcher, "-m", "nlp_transfer", "finetune"),
                    *("--recipe", str(recipe), "--output", str(output)),
                ],
                env={
                    **os.environ,
                    _MARK: self._mark,
                    "TMPDIR": str(scratch),
                    "OMP_NUM_THREADS": "1",
                },
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    @property
    def is_running(self) -> bool:
        """Tell whether the process that was started has not ended."""
        return self._first.poll() is None

    def said(self) -> str:
        """Return what it has printed."""
        return self._said.read_text("utf-8", errors="replace")

    def wait(self, seconds: float) -> int | None:
        """Wait for its end; returns: the exit code; None: it goes on."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._first.wait(seconds)
        return None

    def send(self, number: signal.Signals, target: str) -> None:
        """Send a signal to its first process, to one worker of a group, or to all of its processes.

        target: "process", "launcher", "worker" or "group"
        """
        for process in list(self._targets(target)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _targets(self, target: str) -> Iterator[psutil.Process]:
        if target in ("process", "launcher"):
            yield psutil.Process(self._first.pid)
            return
        for process in self.living():
            if target == "group" or _environment(process).get("RANK") == "1":
                yield process

    def living(self) -> list[psutil.Process]:
        """List its processes that have not ended."""
        return [p for p in psutil.process_iter() if _environment(p).get(_MARK) == self._mark]

    def outlived(self, seconds: float) -> Sequence[psutil.Process]:
        """Wait for the end of all of its processes; returns: those that are there after so long."""
        until = time.monotonic() + seconds
        while living := self.living():
            self._first.poll()  # a process that nobody asks for stays in the list
            if time.monotonic() > until:
                for process in living:
                    process.kill()
                break
            time.sleep(0.1)
        self._first.wait()
        return living

    def last_logged(self) -> dict[str, float]:
        """Return the last whole line of its log.jsonl; {}: there is none."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            line: dict[str, float] = json.loads(
                (self.output / "log.jsonl").read_text("utf-8").splitlines()[-1]
            )
            return line
        return {}


def _environment(process: psutil.Process) -> dict[str, str]:
    with contextlib.suppress(psutil.Error):
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.environ()
    return {}
