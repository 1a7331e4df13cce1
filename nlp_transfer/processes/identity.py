"""A process, told from all others: whether it still lives, as far as can be known from here."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

BEAT = 20.0
"""Seconds after which a process shows again that it lives."""
SILENCE = 120.0
"""Seconds of silence after which a process on another machine counts as dead; NFS may show a sign
of life a minute late."""
_ENDED = ("Z", "X")
"""States of a process that is dead, but not yet forgotten by the one that started it."""


@dataclass(frozen=True)
class ProcessId:
    """One process, told from all others."""

    machine: str
    """Where its number means something: host, boot and container."""
    pid: int
    started: str
    """Tells it from a later process of the same number; empty where that is not known."""

    @classmethod
    def here(cls) -> ProcessId:
        """Describe this process."""
        return cls(machine(), os.getpid(), _started(os.getpid()))

    @property
    def host(self) -> str:
        """The name of its machine."""
        return host_of(self.machine)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def is_gone(self) -> bool | None:
        """Tell whether the process has ended; None: it is on another machine."""
        if self.machine != machine():
            return None
        if not psutil.pid_exists(self.pid):
            return True
        started = _started(self.pid)  # empty for another user's, where /proc hides it
        return bool(started) and started != self.started


def machine() -> str:
    """Name what processes share whose numbers can be compared."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):  # another system than Linux
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip())
        parts.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115 - it is no path
    return "/".join(parts)


def host_of(machine: str) -> str:
    """Return the name by which people know a machine."""
    return machine.partition("/")[0]


def _started(pid: int) -> str:
    """Return when a process started: in ticks since boot on Linux, where no clock can be set."""
    if not sys.platform.startswith("linux"):
        with contextlib.suppress(psutil.Error):
            return f"{psutil.Process(pid).create_time():.2f}"
        return ""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    state, *others = stat.rpartition(")")[2].split()
    return "ended" if state in _ENDED else others[18]
