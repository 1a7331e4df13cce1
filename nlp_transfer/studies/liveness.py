"""Who takes part in a study, and whether they still live, as far as it can be told from here."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BEAT = 20.0
"""Seconds after which a worker shows again that it lives."""
SILENCE = 120.0
"""Seconds of silence after which a worker on another machine counts as dead."""


@dataclass(frozen=True)
class Worker:
    """One process, told from all others."""

    machine: str
    """Where its number means something: host, boot and container."""
    pid: int
    started: str
    """Tells it from a later process of the same number; empty where that is not known."""

    @classmethod
    def here(cls) -> Worker:
        """Describe this process."""
        return cls(_machine(), os.getpid(), _started(os.getpid()))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def is_gone(self) -> bool | None:
        """Tell whether the process has ended; None: it is on another machine, or on Windows."""
        if self.machine != _machine() or os.name == "nt":  # where a signal 0 would end it
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # another user's
            pass
        return _started(self.pid) != self.started


class Watch:
    """Listens to workers on other machines, by a clock of its own: theirs may differ."""

    def __init__(self) -> None:
        self._heard: dict[int, tuple[int, float]] = {}

    def is_dead(self, trial: int, attributes: Mapping[str, Any]) -> bool:
        """Tell whether nobody works on a trial any more that somebody has begun."""
        if "worker" not in attributes:  # it is named before the study is open to others again
            return True
        gone = Worker(**attributes["worker"]).is_gone()
        if gone is not None:
            return gone
        beat, now = int(attributes.get("beat", 0)), time.monotonic()
        before, since = self._heard.get(trial, (None, now))
        if beat != before:
            self._heard[trial] = (beat, now)
            return False
        return now - since > SILENCE


def _machine() -> str:
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):  # another system than Linux
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip())
        parts.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115 - it is no path
    return "/".join(parts)


def _started(pid: int) -> str:
    """Return when a process started, in ticks since boot; empty where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
