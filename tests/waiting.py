"""Processes that are to be hit in the middle of their work: wait until they are there."""

from __future__ import annotations

import subprocess


def wait_for(said: str, process: subprocess.Popen[str]) -> None:
    """Read what a process says on stderr until a line begins so; it is a failure if none does."""
    assert process.stderr
    heard = []
    for line in process.stderr:
        if line.startswith(said):
            return
        heard.append(line)
    raise AssertionError(f"it never said {said!r}:\n{''.join(heard[-50:])}")
