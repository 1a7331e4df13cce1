"""A folder's manifest: size and SHA-256 of each of its files, to tell later whether it is whole.

It is written last, so a folder without one was never finished.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from nlp_transfer.files import write_json

MANIFEST = "manifest.json"
_SCHEMA = 1


def write_manifest(folder: Path) -> None:
    """List all files of a folder as they are now."""
    files = {
        file.relative_to(folder).as_posix(): {
            "bytes": file.stat().st_size,
            "sha256": sha256_of(file),
        }
        for file in sorted(_files(folder))
    }
    write_json(folder / MANIFEST, {"schema": _SCHEMA, "files": files})


def damage(folder: Path) -> str | None:
    """Say what of a folder is not as it was written.

    returns: the first file that is not, and how; None: the folder is whole
    """
    listed = _read(folder / MANIFEST)
    if listed is None:
        return f"{MANIFEST} is missing or damaged"
    for name, file in listed.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is gone"
        if path.stat().st_size != file["bytes"]:
            return f"{name} has {path.stat().st_size:,} bytes of {file['bytes']:,}"
        if sha256_of(path) != file["sha256"]:
            return f"{name} holds other bytes than were written"
    return None


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's content, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)


def _read(file: Path) -> dict[str, dict[str, Any]] | None:
    """Read which files a manifest lists; None: it is not one that we write."""
    try:
        files = json.loads(file.read_text("utf-8"))["files"]
        plain = all(
            {"bytes", "sha256"} <= listed.keys() and ".." not in PurePosixPath(name).parts
            for name, listed in files.items()
        )
    except (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None
    return files if plain else None
