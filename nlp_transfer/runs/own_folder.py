"""The folder that a process reads a run from: the main one's, or a scratch one of what it is sent.

Only the main process writes a run. Where others do not see its folder, they have what tells what
the run is, and how far it has come; `processes.sharing` adds what else they read.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from nlp_transfer.errors import UserError, shortened
from nlp_transfer.processes import is_main_process, rank, wait_for_all, world_size
from nlp_transfer.processes.identity import host_of, machine
from nlp_transfer.processes.meeting import Meeting
from nlp_transfer.processes.scratch import scratch_folder
from nlp_transfer.processes.sharing import is_apart, is_sent, readable, sending_to
from nlp_transfer.runs.contents import STATE
from nlp_transfer.runs.run_folder import RunFolder

log = logging.getLogger(__name__)

_SHOWN = 8
_AS_IT_IS = ("utf-8", "surrogateescape")
"""How bytes, which may be damaged, become text and the same bytes again."""


class _Seat(NamedTuple):
    """What a process says of where it is."""

    machine: str
    scratch: str | None
    """Where it would keep what is sent; None: it sees the folder."""
    holds_run: bool
    """Whether its own folder, seen or not, holds a run."""


@contextlib.contextmanager
def own_folder(
    folder: RunFolder, minutes: float, *, sees: bool, fresh: bool
) -> Iterator[RunFolder]:
    """Yield the folder from which this process reads the run.

    minutes: that one process waits for another
    sees:    whether this process sees the main one's folder
    fresh:   the run in it will be deleted, so the folder counts as new
    """
    seats = _seats(folder, minutes, sees=sees)
    apart = {number: seat for number, seat in enumerate(seats) if seat.scratch}
    if not apart:
        yield folder
        return
    if is_main_process() and not is_sent():  # else it was said of the run that this is a round of
        _tell(folder, apart)
    Meeting(minutes).agree({}, None if sees or fresh else _lost_run(folder, seats[0]))
    first = {seat.machine: number for number, seat in reversed(apart.items())}
    own = folder if sees else RunFolder(Path(str(seats[first[machine()]].scratch)))
    is_receiver = rank() in first.values()
    try:
        _take_state(own, minutes, takes=is_receiver, fresh=fresh)
        with sending_to([*first.values()], is_apart=not sees):
            yield own
        wait_for_all()  # others may still read it
    finally:
        if is_receiver:
            shutil.rmtree(own.path, ignore_errors=True)


def _seats(folder: RunFolder, minutes: float, *, sees: bool) -> list[_Seat]:
    """Let all processes tell each other where they are, by their numbers."""
    if world_size() == 1:
        return []
    scratch = folder.path if is_apart() else Path(scratch_folder(), "run")
    here = _Seat(machine(), None if sees else str(scratch), folder.state() != "new")
    return [_Seat(**said) for said in Meeting(minutes).of_everyone(here._asdict())]


def _tell(folder: RunFolder, apart: Mapping[int, _Seat]) -> None:
    hosts = [*dict.fromkeys(host_of(seat.machine) for seat in apart.values())]
    log.warning(
        "separate folders: %s is not seen on %s (process %s). Process 0 alone writes the run, and "
        "sends what others read of it: the checkpoint that it goes on from, earlier rounds, the "
        "best weights. They keep it in TMPDIR until the run ends",
        folder.path.absolute(),
        shortened(hosts, _SHOWN),
        shortened([*map(str, apart)], _SHOWN),
    )


def _lost_run(folder: RunFolder, main: _Seat) -> UserError | None:
    """Refuse to begin anew what another machine has begun when it was the first one."""
    if main.holds_run or folder.state() == "new":
        return None
    return UserError(
        f"{folder.path.absolute()} holds a run here, but process 0 (on {host_of(main.machine)}), "
        "which alone writes, has none: it would start over. Let this machine be the first again "
        "(--node_rank 0, --machine_rank 0), copy the folder there, or start over with --fresh."
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


def read_by_all(folder: RunFolder) -> None:
    """Let all processes, which come here together, read what the main one has finished."""
    for name in STATE:
        readable(folder.path / name)
