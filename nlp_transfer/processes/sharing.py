"""Files of the main process in, the same where it is not seen out: sent by broadcast.

All that every process reads of a run's folder, it asks for here. Where all see one folder there is
nothing to do. Else one process of each machine that does not see it, the receiver, writes what is
sent to a scratch folder, which the others of that machine read too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from nlp_transfer import files
from nlp_transfer.processes import on_cpus, on_cpus_of, rank

_PIECE = 2**24
"""Bytes that are sent at a time."""


class _Sharing(NamedTuple):
    receivers: tuple[int, ...] = ()
    is_apart: bool = False


_sharing = ContextVar("sharing", default=_Sharing())  # noqa: B039 - it cannot be changed


@contextlib.contextmanager
def sending_to(receivers: Sequence[int], *, is_apart: bool) -> Iterator[None]:
    """Let what the main process writes be sent to others for a while.

    receivers: numbers of the processes that write it down, one a machine
    is_apart:  whether this process does not see the main one's folder
    """
    before = _sharing.set(_Sharing(tuple(receivers), is_apart))
    try:
        yield
    finally:
        _sharing.reset(before)


def is_apart() -> bool:
    """Tell whether this process does not see the folder that the main one writes to."""
    return _sharing.get().is_apart


def is_sent() -> bool:
    """Tell whether any process does not see it, so that what all read is sent."""
    return bool(_sharing.get().receivers)


def readable(path: Path, *, but: Collection[str] = ()) -> Path:
    """Let a file or folder of the main process be read here; to be called by all processes.

    path: as this process names it; what the main one has not, is not here either
    but:  names of files that nobody will read
    """
    receivers = _sharing.get().receivers
    if rank() in receivers:
        files.remove(path)
    if receivers:
        _send(path, of=0, to=receivers, but=but)
    return path


def bring_to_main(folder: Path) -> None:
    """Move files that processes have written to a folder to the main one's; to be called by all."""
    for receiver in _sharing.get().receivers:
        _send(folder, of=receiver, to=(0,))
        if rank() == receiver:
            files.remove(folder)


def _send(path: Path, *, of: int, to: Sequence[int], but: Collection[str] = ()) -> None:
    """Add the files that one process has below a path to those that others have there.

    of, to: numbers of processes, each the main one or a receiver
    """
    from torch import distributed

    receivers = _sharing.get().receivers
    group = _main_and(receivers)
    if rank() in (0, *receivers):
        told: list[Any] = [list(_listed(path, but)) if rank() == of else None]
        distributed.broadcast_object_list(told, src=of, group=group)
        for name, size in told[0]:
            mode = "rb" if rank() == of else "wb" if rank() in to else None
            _send_file(path / name, mode, size, of=of, group=group)
    distributed.barrier(group=on_cpus())


@cache
def _main_and(receivers: tuple[int, ...]) -> Any:
    return on_cpus_of([0, *receivers])


def _listed(path: Path, but: Collection[str]) -> Iterator[tuple[str, int]]:
    """List the files below a path, or the one that it is: by their paths from there, with sizes."""
    found = [path] if path.is_file() else path.rglob("*")
    for file in found:
        if file.is_file() and file.name not in but:
            yield str(file.relative_to(path)), file.stat().st_size


def _send_file(file: Path, mode: str | None, size: int, *, of: int, group: Any) -> None:
    """Send a file in pieces.

    mode: in which it is opened here: to be read, to be written, or not at all
    """
    import torch
    from torch import distributed

    with contextlib.ExitStack() as stack:
        if mode == "wb":
            file.parent.mkdir(parents=True, exist_ok=True)
        stream: Any = stack.enter_context(file.open(mode)) if mode else None
        for begin in range(0, size, _PIECE):
            piece = torch.empty(min(_PIECE, size - begin), dtype=torch.uint8)
            if mode == "rb" and stream.readinto(piece.numpy()) < len(piece):
                raise OSError(f"{file} was cut short while it was sent")
            distributed.broadcast(piece, src=of, group=group)
            if mode == "wb":
                stream.write(piece.numpy())
