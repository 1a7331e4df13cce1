"""A process that ends when its launcher has: nobody would end it, or wait for it, any more.

torchrun and `accelerate launch` end their processes, but not when they are killed themselves. Other
launchers see to that (mpirun by a daemon on each machine), or may end before what they started (a
shell); so only processes of torch's launcher watch it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from functools import cache

import psutil

from nlp_transfer.processes import OF_LAUNCHER
from nlp_transfer.processes.scratch import remove_scratch

_PAUSE = 0.5
"""Seconds between two looks at the launcher."""


@cache
def end_with_launcher() -> None:
    """Watch the launcher from now on, and end at once when it has ended."""
    launcher = _launcher()
    if launcher is not None:
        threading.Thread(target=_watch, args=(launcher,), daemon=True).start()


def _launcher() -> psutil.Process | None:
    """Find the nearest process above that was not launched itself: there may be shells between."""
    for above in psutil.Process().parents():
        with contextlib.suppress(psutil.Error):
            if OF_LAUNCHER not in above.environ():
                return above
    return None


def _watch(launcher: psutil.Process) -> None:
    while _lives(launcher):
        time.sleep(_PAUSE)
    with contextlib.suppress(OSError, ValueError):  # its end of the pipe may be closed, too
        print(
            f"process {os.environ.get('RANK', 0)}: its launcher (process {launcher.pid}) has "
            "ended, so it ends too; the same command goes on from the last checkpoint",
            file=sys.stderr,
            flush=True,
        )
    remove_scratch()
    os._exit(1)  # the others may hold it in an exchange, from which no exception would lead out


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
