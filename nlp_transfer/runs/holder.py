"""The process that holds a lock, as the lock's file names it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from nlp_transfer.processes.identity import ProcessId

_LARGEST = 10_000  # bytes


@dataclass(frozen=True)
class Holder:
    """The process that a lock is of."""

    process: ProcessId
    since: str = field(default_factory=lambda: f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}")
    token: str = field(default_factory=lambda: uuid4().hex)
    """Tells this lock from all others, also of the same process."""

    @classmethod
    def read(cls, path: Path) -> Holder | None:
        """Read who holds a lock; None: nobody. Of a damaged file it is a process that never was."""
        try:
            with path.open("rb") as file:  # to open it is what makes NFS look again
                said = json.loads(file.read(_LARGEST))
            return cls(ProcessId(**said["process"]), str(said["since"]), _plain(said["token"]))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, RecursionError):
            return cls(ProcessId("an unknown machine", 0, ""), "an unknown time", "damaged")

    def __str__(self) -> str:
        return f"process {self.process.pid} on {self.process.host}, since {self.since}"


def _plain(token: object) -> str:
    """Return a token that can be part of a file's name."""
    if not (isinstance(token, str) and token.isalnum()):
        raise ValueError(token)
    return token


def touched(path: Path) -> float | None:
    """Return when a file was last touched, by the clock of its disk; None: it is gone."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None
