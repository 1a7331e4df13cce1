"""Whether a process sees what another one has written, on a shared disk that may be slow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from nlp_transfer.processes import TIMEOUT_MINUTES
from nlp_transfer.processes.identity import machine

_PATIENCE = (1.0, 60.0)
"""Seconds in which a file comes into sight: of a process on this machine or on a disk of its own,
and of another machine, over NFS with its usual caches."""
_PAUSE = 0.1
_OF_ONE_MACHINE = frozenset(
    ("apfs", "btrfs", "ext2", "ext3", "ext4", "overlay", "ramfs", "tmpfs", "xfs", "zfs")
)
"""File systems that no other machine can write to without this one."""


def comes_into_sight(look: Callable[[], bool], path: Path, *, of: str) -> bool:
    """Look until something is there, as long as that may take.

    path: where it would be
    of:   the machine of the process that wrote it, as `machine` names it
    """
    may_be_late = of != machine() and _file_system(path) not in _OF_ONE_MACHINE
    until = time.monotonic() + _PATIENCE[may_be_late]
    while not look():
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE)
    return True


def _file_system(path: Path) -> str:
    """Name the kind of file system that a path, which need not exist, is on; empty: not known."""
    real = Path(os.path.realpath(path))
    above = map(str, (real, *real.parents))
    try:
        mounted = {disk.mountpoint: disk.fstype for disk in psutil.disk_partitions(all=True)}
    except OSError:  # a system that does not say
        return ""
    return next((mounted[folder] for folder in above if folder in mounted), "")


def wait_as_it_changes(is_done: Callable[[], bool], shown: Callable[[], object]) -> bool:
    """Wait until something is done, as long as what is shown of it changes now and then.

    returns: whether it is done; else nothing has changed for TIMEOUT_MINUTES
    """
    before, since = None, time.monotonic()
    while not is_done():
        if (now := shown()) != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > 60 * TIMEOUT_MINUTES:
            return False
        time.sleep(_PAUSE)
    return True
