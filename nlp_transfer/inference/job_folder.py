"""Where the parts of a long prediction lie until it is done, and which job they are of."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nlp_transfer import files
from nlp_transfer.errors import UserError
from nlp_transfer.inference.parts import Part
from nlp_transfer.processes import (
    TIMEOUT_MINUTES,
    is_main_process,
    rank,
    wait_for_all,
    world_size,
)
from nlp_transfer.processes.sight import wait_as_it_changes

log = logging.getLogger(__name__)

_JOB = "job.json"


@dataclass(frozen=True)
class JobFolder:
    """Where the parts of a job lie, beside its output to be."""

    path: Path
    job: Mapping[str, object]
    """What the results depend on beside the items, as JSON."""

    def begin(self, *, fresh: bool) -> None:
        """Let every process look at the folder before one changes it, and mend its parts."""
        if not fresh:
            self._check_same()
        wait_for_all()
        if is_main_process():
            self._make(fresh=fresh)
        wait_for_all()
        for part in self.parts()[rank() :: world_size()]:
            if part.mend():
                log.warning("%s: what is not whole at its end is predicted anew", part.path)
        wait_for_all()

    def parts(self) -> list[Part]:
        """List the parts of all processes."""
        halves = (path for path in self.path.iterdir() if path.suffix in Part.SUFFIXES)
        names = sorted({path.with_suffix(Part.SUFFIXES[0]) for path in halves})
        return [Part(path, self.seal) for path in names]

    def part_for(self, first: int) -> Part:
        """Return the part for the results of this process from an item on: it has none behind."""
        number = 0
        while True:
            part = Part(self.path / f"{rank()}-{number}{Part.SUFFIXES[0]}", self.seal)
            if all(stretch.end <= first for stretch in part.stretches()):
                return part
            number += 1

    def end(self, total: int) -> None:
        """Let the main process know that this one has read so many items and done its share."""
        files.write_json(self._end_of(rank()), total)

    def wait_for_all_parts(self, total: int) -> None:
        """Wait until all processes have done their shares.

        raises: UserError when one has read another number of items, or predicts nothing any more
        """
        for number in range(world_size()):
            if not wait_as_it_changes(self._end_of(number).is_file, self._written):
                raise UserError(
                    f"process {number} has predicted nothing for {TIMEOUT_MINUTES:g} minutes. "
                    f"{self.path} keeps what there is; the same command goes on."
                )
            if (read := json.loads(self._end_of(number).read_text("utf-8"))) != total:
                raise UserError(
                    f"INPUT: process 0 has read {total:,} items of it, process {number} {read:,}. "
                    "Give all processes the same input."
                )

    def _written(self) -> int:
        sizes = 0
        for path in self.path.iterdir():
            with contextlib.suppress(FileNotFoundError):  # it has taken another name meanwhile
                sizes += path.stat().st_size
        return sizes

    @cached_property
    def seal(self) -> str:
        """What the results depend on, in short."""
        return hashlib.sha256(json.dumps(self.job, sort_keys=True).encode("ascii")).hexdigest()

    def _end_of(self, number: int) -> Path:
        return self.path / f"{number}.end"

    def differences(self) -> list[str]:
        """Say how the job of which there are results differs from this one."""
        path = self.path / _JOB
        if not path.is_file():
            return []
        try:
            before = json.loads(path.read_text("utf-8"))
            return [
                f"  {key}: {before.get(key)!r}, now {self.job[key]!r}"
                for key in self.job
                if before.get(key) != self.job[key]
            ]
        except (ValueError, RecursionError, AttributeError):
            log.warning("%s is damaged and written anew; parts tell their job too", path)
            return []

    def _check_same(self) -> None:
        if differences := self.differences():
            shown = "\n".join(differences)
            raise UserError(
                f"--output: {self.path} holds the results of another job:\n{shown}\nThey are kept. "
                "Run that job's command again, or start over with --fresh, which drops them."
            )

    def _make(self, *, fresh: bool) -> None:
        leftovers = {*files.leftovers(self.path / _JOB)}
        others = {*self.path.iterdir()} - leftovers if self.path.is_dir() else set()
        if self.path.is_file() or (others and not (self.path / _JOB).is_file()):
            raise UserError(
                f"--output: {self.path} holds other things. Delete it or rename the output."
            )
        if others and fresh:
            log.warning("%s: the results of an interrupted job are dropped", self.path)
            shutil.rmtree(self.path)
        self.path.mkdir(exist_ok=True)
        for ended in self.path.glob("*.end"):
            ended.unlink()
        files.write_json(self.path / _JOB, self.job)
