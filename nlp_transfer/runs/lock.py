"""One writer of a folder at a time: a lock file that a dead process loses, on shared disks too.

The file names the process that holds it, which touches it now and then. It is made by a hard link,
which fails where the name is there already, also on NFS. That of a dead process is replaced by the
one process that first makes a link named after it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from dataclasses import asdict
from pathlib import Path

from nlp_transfer import files
from nlp_transfer.errors import UserError
from nlp_transfer.processes.identity import BEAT, SILENCE, ProcessId
from nlp_transfer.runs.holder import Holder, touched

log = logging.getLogger(__name__)

LOCK = ".lock"
"""Name of the lock in the folder that it is of."""
_PATIENCE = 1.0
"""Seconds that a process of this machine may take to end: one whose launcher was killed, say."""
_PAUSE = 0.2


class Lock:
    """Lets one process at a time write to a folder; a context, within which it is held."""

    def __init__(self, path: Path, of: Path) -> None:
        """path: the lock file; of: what it is the lock of."""
        self._path, self._of = path, of
        self._holder = Holder(ProcessId.here())
        self._own = path.with_name(f"{path.name}.{self._holder.token}.own")
        self._looked = time.monotonic()
        self._done = threading.Event()
        self._beats = threading.Thread(target=self._show_life, daemon=True)
        self._made: list[Path] = []

    @property
    def token(self) -> str:
        """What the file holds of this lock alone."""
        return self._holder.token

    def __enter__(self) -> Lock:
        """Take the lock, or say who has it.

        raises: UserError
        """
        self._made = [path for path in self._path.parents if not path.exists()]
        try:
            self._begin()
            self._acquire()
        except BaseException:
            self._remove_folders()
            raise
        finally:
            self._own.unlink(missing_ok=True)
        self._beats.start()
        return self

    def __exit__(self, *_: object) -> None:
        if os.getpid() != self._holder.process.pid:
            return  # a process that was forked from the one that holds it
        self._done.set()
        self._beats.join()
        with contextlib.suppress(OSError):
            if not self._is_others():
                self._path.unlink()
        self._remove_folders()

    def check(self, *, at_once: bool = True) -> None:
        """Refuse to go on where another process has taken this one for dead.

        at_once: else it is enough to look once a second
        raises:  UserError
        """
        if not at_once and time.monotonic() - self._looked < 1:
            return
        self._looked = time.monotonic()
        if self._is_others():
            raise UserError(
                f"{self._of}: nothing was heard of this process for more than {SILENCE:.0f} s, so "
                f"another has gone on in its place: {Holder.read(self._path)}. This one ends."
            )

    def _begin(self) -> None:
        """Write the file that is to become the lock beside it."""
        while not self._own.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # another has deleted the folder, unused
                files.write_json(self._own, asdict(self._holder))
        self._tidy()

    def _acquire(self) -> None:
        until = time.monotonic() + _PATIENCE
        while (other := self._take(self._path)) is not None:
            if other.process.is_gone() is None or time.monotonic() > until:
                raise UserError(_refusal(self._of, other))
            time.sleep(_PAUSE)

    def _take(self, path: Path) -> Holder | None:
        """Take a lock that nobody holds who lives; return who does."""
        while not self._made_first(path):
            holder = Holder.read(path)
            if holder is None:
                continue  # given back this moment
            if self._lives(path, holder):
                return holder
            after = path.with_name(f"{path.name}.{holder.token}")
            if self._take(after) is None:  # of all that wait for it, only one comes here
                try:
                    if Holder.read(path) == holder:
                        files.write_json(path, asdict(self._holder))
                        return None
                finally:
                    after.unlink(missing_ok=True)
            time.sleep(_PAUSE)
        return None

    def _made_first(self, path: Path) -> bool:
        """Make the file, unless it is there."""
        try:
            os.link(self._own, path)
        except FileExistsError:
            with contextlib.suppress(OSError):
                return path.samefile(self._own)  # NFS may have lost the answer, and asked again
            return False
        except OSError:  # a file system without hard links
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write(self._own.read_text("utf-8"))
            except FileExistsError:
                return False
        return True

    def _lives(self, path: Path, holder: Holder) -> bool:
        gone = holder.process.is_gone()
        return self._is_heard_of(path, holder) if gone is None else not gone

    def _is_heard_of(self, path: Path, holder: Holder) -> bool:
        """Wait for a sign of life from another machine, by the clock of the disk alone."""
        first = touched(path)
        while first is not None:
            os.utime(self._own)
            silent = self._own.stat().st_mtime - first
            if silent > SILENCE:
                return False
            log.info("%s: waits for a sign of life from %s", self._of, holder)
            until = time.monotonic() + SILENCE - silent + _PAUSE
            while (last := touched(path)) == first and time.monotonic() < until:
                time.sleep(_PAUSE)
            if last != first:
                return last is not None
        return False

    def _show_life(self) -> None:
        while not self._done.wait(BEAT):
            with contextlib.suppress(OSError):  # a shared disk that does not answer may later
                if not self._is_others():
                    os.utime(self._path)

    def _is_others(self) -> bool:
        holder = Holder.read(self._path)
        return holder is not None and holder.token != self.token

    def _tidy(self) -> None:
        """Delete what processes have left that were killed while they took this lock."""
        for path in self._path.parent.glob(f"{self._path.name}.*.own"):
            holder = Holder.read(path)
            if holder is not None and holder.process.is_gone():
                path.unlink(missing_ok=True)

    def _remove_folders(self) -> None:
        """Delete folders that were made for the lock, where nothing came into them."""
        with contextlib.suppress(OSError):
            for folder in self._made:
                folder.rmdir()


def is_of_lock(name: str) -> bool:
    """Tell the files of a folder's lock from what else is in it."""
    return name == LOCK or name.startswith((f"{LOCK}.", f".{LOCK}."))


def remove_dead(lock: Path) -> None:
    """Delete a lock that a dead process of this machine has left, where that is allowed."""
    with contextlib.suppress(OSError):
        holder = Holder.read(lock)
        if holder is not None and holder.process.is_gone():
            lock.unlink()


def _refusal(of: Path, holder: Holder) -> str:
    return (
        f"{of} is in use: {holder}. Wait until it ends, or stop it (kill {holder.process.pid} on "
        f"{holder.process.host}); then the same command goes on. Or choose another --output."
    )
