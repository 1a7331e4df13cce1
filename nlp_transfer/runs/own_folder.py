"""The folder that a process reads a run from: the main one's, or a scratch one of what it is sent.

Only the main process writes a run. Where others do not see its folder, they have what tells what
the run is, and how far it has come; `processes.sharing` adds what else they read.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nlp_transfer.errors import shortened
from nlp_transfer.processes import is_main_process, rank, wait_for_all, world_size
from nlp_transfer.processes.identity import machine
from nlp_transfer.processes.meeting import Meeting
from nlp_transfer.processes.scratch import scratch_folder
from nlp_transfer.processes.sharing import is_apart, is_sent, readable, sending_to
from nlp_transfer.runs.contents import STATE
from nlp_transfer.runs.run_folder import RunFolder

log = logging.getLogger(__name__)

_SHOWN = 8
_AS_IT_IS = ("utf-8", "surrogateescape")
"""How bytes, which may be damaged, become text and the same bytes again."""


class _Apart(NamedTuple):
    """A process that does not see the main one's folder."""

    number: int
    machine: str
    scratch: Path
    """Where it would keep what is sent; the first process of a machine decides."""


@contextlib.contextmanager
def own_folder(
    folder: RunFolder, minutes: float, *, sees: bool, fresh: bool
) -> Iterator[RunFolder]:
    """Yield the folder from which this process reads the run.

    minutes: that one process waits for another
    sees:    whether this process sees the main one's folder
    fresh:   the run in it will be deleted, so the folder counts as new
    """
    apart = _apart(folder, minutes, sees=sees)
    if not apart:
        yield folder
        return
    if is_main_process() and not is_sent():  # else it was said of the run that this is a round of
        _tell(folder, apart)
    first = {one.machine: one for one in reversed(apart)}
    own = folder if sees else RunFolder(first[machine()].scratch)
    receivers = [one.number for one in first.values()]
    try:
        _take_state(own, minutes, takes=rank() in receivers, fresh=fresh)
        with sending_to(receivers, is_apart=not sees):
            yield own
        wait_for_all()  # others may still read it
    finally:
        if rank() in receivers:
            shutil.rmtree(own.path, ignore_errors=True)


def _apart(folder: RunFolder, minutes: float, *, sees: bool) -> list[_Apart]:
    """List the processes that do not see the main one's folder, by their numbers."""
    if world_size() == 1:
        return []
    scratch = folder.path if is_apart() else Path(scratch_folder(), "run")
    said = {"machine": machine(), "scratch": None if sees else str(scratch)}
    everyone = enumerate(Meeting(minutes).of_everyone(said))
    return [
        _Apart(n, one["machine"], Path(one["scratch"])) for n, one in everyone if one["scratch"]
    ]


def _tell(folder: RunFolder, apart: Sequence[_Apart]) -> None:
    hosts = dict.fromkeys(one.machine.partition("/")[0] for one in apart)
    log.warning(
        "separate folders: process %s (on %s) does not see %s. Process 0 alone writes the run, and "
        "sends what others read of it: the checkpoint that it goes on from, earlier rounds, the "
        "best weights. They keep it in TMPDIR until the run ends",
        shortened([str(one.number) for one in apart], _SHOWN),
        shortened([*hosts], _SHOWN),
        folder.path.absolute(),
    )


def _take_state(own: RunFolder, minutes: float, *, takes: bool, fresh: bool) -> None:
    """Tell what run there is; by the store, for the processes are not connected yet.

    takes: write it down
    """
    there = {}
    if is_main_process() and not fresh:
        found = (name for name in STATE if (own.path / name).is_file())
        there = {name: (own.path / name).read_bytes().decode(*_AS_IT_IS) for name in found}
    told = Meeting(minutes).from_main(there)
    if takes:
        own.path.mkdir(parents=True, exist_ok=True)
        for name, text in told.items():
            (own.path / name).write_bytes(text.encode(*_AS_IT_IS))
    Meeting(minutes).of_everyone({})  # others read it on the same machine


def read_by_all(folder: RunFolder) -> RunFolder:
    """Let all processes, which come here together, read what the main one has finished."""
    for name in STATE:
        readable(folder.path / name)
    return folder
