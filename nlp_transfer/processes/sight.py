"""Whether a process sees what another one has written, on a shared disk that may be slow."""

from __future__ import annotations

import time
from collections.abc import Callable

from nlp_transfer.processes import TIMEOUT_MINUTES
from nlp_transfer.processes.identity import machine

_PATIENCE = (1.0, 60.0)
"""Seconds in which a file comes into sight: of a process on this machine, and on another, over NFS
with its usual caches."""
_PAUSE = 0.1


def comes_into_sight(look: Callable[[], bool], *, of: str) -> bool:
    """Look until something is there, as long as that may take.

    of: the machine of the process that wrote it, as `machine` names it
    """
    until = time.monotonic() + _PATIENCE[of != machine()]
    while not look():
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE)
    return True


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
