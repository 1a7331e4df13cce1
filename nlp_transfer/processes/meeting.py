"""The processes of a run tell each other what they are about, and go on only where they agree.

They do so by the key-value store that they were started with, before any of them computes: those
that do not agree would wait for each other in different places.
"""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

from nlp_transfer.errors import SaidByMainError, UserError
from nlp_transfer.processes import is_main_process, rank, was_launched, world_size

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

_PAUSES = (0.02, 1.0)
"""Seconds between two looks into the store: the first, and no more than."""
_LAST_WORD = 10.0
"""Seconds in which all are to learn that they do not agree, before the launcher ends them."""
_SHOWN = 3
_NOTHING = "nothing"


class Meeting:
    """One exchange between all processes; each makes the same ones in the same order."""

    def __init__(self, minutes: float) -> None:
        """minutes: after which a process that has not come counts as lost."""
        self._seconds = 60 * minutes
        self._store = _store(minutes)
        self._name = next(_numbers())

    def from_main(self, said: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return what the main process says; what others say is not read."""
        if is_main_process():
            self._say("main", json.dumps(said))
        told: dict[str, Any] = json.loads(self._hear("main", of=0))
        return told

    def of_everyone(self, said: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what each process says, by its number, when all have said it."""
        self._say(f"one/{rank()}", json.dumps(said))
        if is_main_process():
            numbers = range(world_size())
            heard = [json.loads(self._hear(f"one/{number}", of=number)) for number in numbers]
            self._say("everyone", json.dumps(heard))
        everyone: list[dict[str, Any]] = json.loads(self._hear("everyone", of=0))
        return everyone

    def agree(self, said: Mapping[str, object], problem: UserError | None = None) -> None:
        """Go on only if all processes say the same, and none has a problem.

        raises: UserError on every process, about the first that differs; the main one shows it
        """
        one = {"host": socket.gethostname(), "said": {key: str(said[key]) for key in said}}
        self._say(str(rank()), json.dumps({**one, "problem": problem and str(problem)}))
        if not is_main_process():
            verdict = self._hear("verdict", of=0)
            if verdict:
                _end_by_itself()
                self._store.add(f"{self._name}/read", 1)
                raise SaidByMainError(verdict)
            return
        everyone = [
            json.loads(self._hear(str(number), of=number)) for number in range(world_size())
        ]
        verdict = _verdict(everyone)
        if verdict:
            _end_by_itself()
        self._say("verdict", verdict)
        if verdict:
            until = time.monotonic() + _LAST_WORD
            while self._store.add(f"{self._name}/read", 0) < world_size() - 1:
                if time.monotonic() > until:
                    break
                time.sleep(_PAUSES[0])
            raise UserError(verdict)

    def _say(self, key: str, text: str) -> None:
        self._store.set(f"{self._name}/{key}", text)

    def _hear(self, key: str, *, of: int) -> str:
        """Wait for what a process says; a signal is heeded, as in no wait of the store's."""
        until, pause = time.monotonic() + self._seconds, _PAUSES[0]
        while not self._store.check([f"{self._name}/{key}"]):
            if time.monotonic() > until:
                raise UserError(
                    f"nothing was heard of process {of} for {self._seconds / 60:g} minutes "
                    "(training.timeout_minutes): it may have ended, or be waiting elsewhere."
                )
            time.sleep(pause)
            pause = min(2 * pause, _PAUSES[1])
        return self._store.get(f"{self._name}/{key}").decode()


def _end_by_itself() -> None:
    """Let the launcher, which ends all when one has ended, not come before the message."""
    if was_launched() and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _verdict(everyone: Sequence[Mapping[str, Any]]) -> str:
    """Say what keeps processes from working together; empty: nothing."""
    main = everyone[0]
    if main["problem"]:
        return str(main["problem"])
    if different := [one for one in enumerate(everyone) if one[1]["said"] != main["said"]]:
        lines = [line for other in different[:_SHOWN] for line in _differences(*other, main)]
        if len(different) > _SHOWN:
            lines.append(f"and {len(different) - _SHOWN} more processes.")
        lines.append("All processes of a run need the same command, recipe, data and versions.")
        return "\n".join(lines)
    for number, one in enumerate(everyone):
        if one["problem"]:
            return f"process {number} (on {one['host']}): {one['problem']}"
    return ""


def _differences(number: int, one: Mapping[str, Any], main: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"process {number} (on {one['host']}) is at something else than process 0 (on "
        f"{main['host']}):"
    )
    theirs, ours = one["said"], main["said"]
    for key in dict.fromkeys([*ours, *theirs]):
        if theirs.get(key) != ours.get(key):
            yield f"  {key}: {theirs.get(key, _NOTHING)}, not {ours.get(key, _NOTHING)}"


@cache
def _numbers() -> Iterator[int]:
    return count()


@cache
def _store(minutes: float) -> Store:
    """Return the store that torch's processes find each other by."""
    from torch.distributed import DistError
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    try:
        store, *_ = next(rendezvous("env://", timeout=timedelta(minutes=minutes)))
    except DistError as error:
        raise UserError(
            f"The processes of this run did not find each other within {minutes:g} minutes "
            f"(training.timeout_minutes): {error}"
        ) from None
    return PrefixStore("nlp_transfer", store)
