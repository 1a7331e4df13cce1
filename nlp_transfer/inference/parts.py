"""Results of a job in files that tell themselves from damage: each stretch of them has a seal."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_transfer.data.items import Item

_LONGEST_RECORD = 1000  # bytes


@dataclass(frozen=True)
class Stretch:
    """Items in a row, of which a part holds the results."""

    first: int
    """Number of the first of them in the input, from 0."""
    items: int
    read: str
    """SHA-256 of the items."""
    start: int
    """Where in the part the lines of their results begin, in bytes."""
    bytes: int
    seal: str
    """SHA-256 of the job, of all of the above, and of the lines."""

    @property
    def end(self) -> int:
        """Number of the first item behind it."""
        return self.first + self.items


def fingerprint(items: Sequence[Item]) -> str:
    """Return the SHA-256 of items, with all of their fields."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps(item.fields).encode("ascii") + b"\n")
    return digest.hexdigest()


class Part:
    """A file of results, a line each, and the records of its stretches beside it.

    Records are written after their lines. What is not recorded, or not as its seal says, was torn
    by a crash or damaged since, or is of another job.
    """

    SUFFIXES = (".jsonl", ".records")

    def __init__(self, path: Path, job: str) -> None:
        """job: what its results depend on, in short."""
        self.path = path
        self._records = path.with_suffix(self.SUFFIXES[1])
        self._job = job

    def mend(self) -> bool:
        """Cut off all from the first stretch on that is not whole; tell whether there was any."""
        self.path.touch()
        self._records.touch()
        whole = recorded = 0
        for stretch, line in self._recorded():
            if stretch.start != whole or self.lines(stretch) is None:
                break
            whole += stretch.bytes
            recorded += len(line)
        if (self.path.stat().st_size, self._records.stat().st_size) == (whole, recorded):
            return False
        os.truncate(self.path, whole)
        os.truncate(self._records, recorded)
        return True

    def stretches(self) -> list[Stretch]:
        """List what is recorded, in the order in which it was written."""
        return [stretch for stretch, _ in self._recorded()]

    def lines(self, stretch: Stretch) -> bytes | None:
        """Read the results of a stretch; None: they are no longer whole."""
        if stretch.start + stretch.bytes > self.path.stat().st_size:
            return None
        with self.path.open("rb") as stream:
            stream.seek(stretch.start)
            lines = stream.read(stretch.bytes)
        told = {key: value for key, value in vars(stretch).items() if key != "seal"}
        return lines if _seal(told, lines, self._job) == stretch.seal else None

    def append(self, first: int, items: Sequence[Item], lines: bytes) -> None:
        """Add the results of items."""
        with self.path.open("ab") as stream:
            told = {
                "first": first,
                "items": len(items),
                "read": fingerprint(items),
                "start": stream.tell(),
                "bytes": len(lines),
            }
            stream.write(lines)
        with self._records.open("a", encoding="ascii") as stream_of_records:
            record = {**told, "seal": _seal(told, lines, self._job)}
            stream_of_records.write(json.dumps(record) + "\n")

    def _recorded(self) -> Iterator[tuple[Stretch, bytes]]:
        if not self._records.is_file():
            return
        with self._records.open("rb") as stream:
            while line := stream.readline(_LONGEST_RECORD):
                stretch = _read(line)
                if stretch is None:
                    return
                yield stretch, line


def _seal(told: Mapping[str, object], lines: bytes, job: str) -> str:
    head = json.dumps([job, told], sort_keys=True)
    return hashlib.sha256(head.encode("ascii") + lines).hexdigest()


def _read(line: bytes) -> Stretch | None:
    """Read the record of a stretch; None: it is none."""
    try:
        found: Any = json.loads(line) if line.endswith(b"\n") else None
        stretch = Stretch(**found)
    except (ValueError, RecursionError, TypeError):
        return None
    counts = (stretch.first, stretch.items, stretch.start, stretch.bytes)
    names = (stretch.read, stretch.seal)
    if not all(type(count) is int and count >= 0 for count in counts):
        return None
    return stretch if all(isinstance(name, str) for name in names) else None
