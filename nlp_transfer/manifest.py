"""A folder's manifest: size and SHA-256 of its files, to tell later whether they are as written.

It is written last, so that a folder without one was never finished, is an earlier version's or
another program's: nothing can be told of its files then.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nlp_transfer.errors import UserError
from nlp_transfer.files import whole_folder, write_json

MANIFEST = "manifest.json"
_SCHEMA = 1
_LARGEST = 2**24
"""Bytes of a manifest that are read: it may be a stranger's."""

COPY_OR_TRAIN = "Copy it again, or train anew with --fresh."

log = logging.getLogger(__name__)


class Listed(NamedTuple):
    """What a manifest says of a file."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, file: Path) -> Listed:
        """Say it of a file as it is now."""
        return cls(file.stat().st_size, sha256_of(file))

    def damage(self, file: Path) -> str | None:
        """Say what of a file is not as it was written; None: it is."""
        try:
            if not file.is_file():
                return "is gone"
            if (size := file.stat().st_size) != self.bytes:
                return f"has {size:,} bytes of {self.bytes:,}"
            same = sha256_of(file) == self.sha256
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        return None if same else "holds other bytes than were written"


@contextlib.contextmanager
def verifiable_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Make a folder as `whole_folder` does, with a manifest of all that was put into it."""
    with whole_folder(path, replace=replace) as beside:
        yield beside
        write_manifest(beside)


def write_manifest(folder: Path, files: Mapping[str, Path] | None = None) -> None:
    """List files of a folder as they are now.

    files: where each lies now, by its path in the folder; None: all files of the folder
    """
    listed = files or {file.relative_to(folder).as_posix(): file for file in _files(folder)}
    write_listed(folder, {name: Listed.of(file) for name, file in listed.items()})


def write_listed(folder: Path, listed: Mapping[str, Listed]) -> None:
    """Write what is said of a folder's files, by path in the folder."""
    described = {name: file._asdict() for name, file in sorted(listed.items())}
    write_json(folder / MANIFEST, {"schema": _SCHEMA, "files": described})


def read_manifest(folder: Path) -> dict[str, Listed] | None:
    """Read what is listed of a folder's files; None: it has no manifest, or none that we write."""
    file = folder / MANIFEST
    try:
        if file.stat().st_size > _LARGEST:
            return None
        files = json.loads(file.read_text("utf-8"))["files"]
        listed = {name: Listed(of["bytes"], of["sha256"]) for name, of in files.items()}
    except (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None
    return listed if all(_is_ours(name, file) for name, file in listed.items()) else None


def damage(folder: Path) -> str | None:
    """Say what of a folder is not as it was written, which cannot be without a manifest.

    returns: the first file that is not, and how; None: the folder is whole
    """
    listed = read_manifest(folder)
    return f"{MANIFEST} is missing or damaged" if listed is None else _first_damage(folder, listed)


def is_kept(folder: Path) -> bool:
    """Tell whether what was kept for later is there and whole; say what of it is damaged."""
    if not folder.is_dir():
        return False
    if (found := damage(folder)) is not None:
        log.warning("%s is damaged (%s): made anew", folder, found)
    return found is None


def check_folder(folder: Path, setting: str) -> None:
    """Refuse a model's folder that is not as it was written; one without a manifest is taken as is.

    A folder is read once a process, as long as its files look the same.

    setting: the argument or recipe key that named it, for the message
    """
    if (listed := _listed(folder)) is None:
        return
    looks = tuple((name, looks_of(folder / name)) for name in (*listed, MANIFEST))
    try:
        _check_once(folder.resolve(), looks)
    except _DamagedError as found:
        raise UserError(
            f"{setting}: {folder} is not as it was written: {found}. Copy it again with all its "
            "files, or make it anew (nlpt finetune --fresh, nlpt export...). If you changed it "
            f"yourself, delete {folder / MANIFEST}."
        ) from None


def check_file(file: Path, advice: str = COPY_OR_TRAIN) -> None:
    """Refuse a file that is not as the manifest beside it says, where there is one that lists it.

    advice: what to do about it
    """
    listed = (_listed(file.parent) or {}).get(file.name)
    if listed is not None and (found := listed.damage(file)):
        own = f" If you changed it yourself, delete {file.parent / MANIFEST}."
        raise UserError(
            f"{file} is not as it was written: it {found}. {advice}{own if file.exists() else ''}"
        )


def list_again(file: Path) -> None:
    """Let the manifest beside a file, if it lists it, say of it what it is now."""
    listed = read_manifest(file.parent) or {}
    if file.name in listed:
        write_listed(file.parent, {**listed, file.name: Listed.of(file)})


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's content, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def looks_of(file: Path) -> tuple[int, ...] | None:
    """Tell a file from what it may be later, without reading it."""
    try:
        status = file.stat()
    except (OSError, ValueError):  # a null character
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class _DamagedError(Exception):
    """Which file of a folder is damaged, and how."""


@lru_cache(maxsize=64)
def _check_once(folder: Path, _looks: tuple[object, ...]) -> None:
    """Read a folder's files; what is damaged is read again the next time."""
    if found := _first_damage(folder, read_manifest(folder) or {}):
        raise _DamagedError(found)


def _first_damage(folder: Path, listed: Mapping[str, Listed]) -> str | None:
    found = ((name, file.damage(folder / name)) for name, file in listed.items())
    return next((f"{name} {damage}" for name, damage in found if damage), None)


def _listed(folder: Path) -> dict[str, Listed] | None:
    """Read a manifest, if there is one that is of use."""
    listed = read_manifest(folder)
    if listed is None and (folder / MANIFEST).is_file():
        _say_once(folder / MANIFEST)
    return listed


@lru_cache(maxsize=64)
def _say_once(manifest: Path) -> None:
    log.warning("%s is damaged, or not ours: nothing is verified by it", manifest)


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)


def _is_ours(name: str, listed: Listed) -> bool:
    """Tell what we write from what leads out of a folder, or is to upset who reads it."""
    path = PurePosixPath(name)
    is_inside = not path.is_absolute() and ".." not in path.parts and name.isprintable()
    return is_inside and isinstance(listed.bytes, int) and isinstance(listed.sha256, str)
