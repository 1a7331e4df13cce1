"""Files and folders that are whole or not there: they take their names when all is written.

Until then what is written lies beside its place, under a hidden name of its own; any exception,
Ctrl-C too, deletes it and leaves what was there before. Only a killed process leaves it behind.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from nlp_transfer.errors import UserError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the OSErrors of a full disk."""

_NEARLY_FULL = 2**20
"""Free bytes below which a failed write is put down to a full disk."""


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text file to be written as it comes; lines end as they are given.

    A pipe or a device is written to directly, and keeps its name.
    """
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        return
    with whole_path(path) as beside, beside.open("x", encoding="utf-8", newline="") as stream:
        yield stream


@contextlib.contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """Name a file that a library is to write in place of `path`; its permissions are kept."""
    with _beside(path) as (beside, target):
        yield beside
        if target.exists():
            shutil.copymode(target, beside)
        beside.replace(target)


def check_new_folder(path: Path, option: str) -> None:
    """Refuse a place for a new folder where there is something already.

    option: that named it, for messages
    raises: UserError
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{option}: {path} is there and not empty. Name a new folder.")


@contextlib.contextmanager
def whole_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Make a folder to be filled in place of `path`.

    replace: a folder that is there already is deleted once this one is whole; else it must be empty
    """
    with _beside(path) as (beside, target):
        beside.mkdir()
        yield beside
        if replace:
            _put_in_place(beside, target)
        else:
            beside.replace(target)


def _put_in_place(folder: Path, target: Path) -> None:
    """Move a folder to where one may be, or be put by another process at the same moment."""
    while True:
        old = _hidden(target)
        try:
            with contextlib.suppress(FileNotFoundError):
                target.replace(old)
            folder.replace(target)
            return
        except BaseException as error:
            if not (isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST)):
                with contextlib.suppress(OSError):  # what was there before, unless another is
                    old.replace(target)
                raise
        finally:
            with contextlib.suppress(OSError):
                remove(old)


def write_text(path: Path, text: str) -> None:
    """Write a text file: readers see the old one or the new one."""
    with whole_file(path) as stream:
        stream.write(text)


def write_json(path: Path, value: object) -> None:
    """Write a JSON file for programs and people."""
    write_text(path, json_text(value))


def json_text(value: object) -> str:
    """Write a value as JSON that people can read."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write_json_lines(path: Path, values: Iterable[object]) -> None:
    """Write one JSON value a line, as they come."""
    with whole_file(path) as stream:
        for value in values:
            stream.write(json.dumps(value, ensure_ascii=False) + "\n")


def leftovers(path: Path) -> Iterator[Path]:
    """Find what killed processes have left of writing a path; others may be writing it now."""
    return path.parent.glob(f".{glob.escape(path.name)}.*tmp")


def remove(path: Path) -> None:
    """Delete a file, a link or a folder with all that is in it, where there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def is_full(folder: Path, error: Exception) -> bool:
    """Tell whether a write failed because the disk is full; torch does not say."""
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return True
    return folder.is_dir() and shutil.disk_usage(folder).free < _NEARLY_FULL


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield a hidden name beside a path, and the path itself, or what it leads to as a link.

    What has the hidden name at the end is deleted.
    raises: OSError that names the path, for any failure on a full disk but UserError
    """
    target = Path(os.path.realpath(path))
    beside = _hidden(target)
    try:
        yield beside, target
    except UserError:
        raise
    except Exception as error:
        if is_full(target.parent, error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    finally:
        with contextlib.suppress(OSError):
            remove(beside)


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")
