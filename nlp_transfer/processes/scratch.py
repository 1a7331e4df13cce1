"""A process's own folder in TMPDIR: it goes when the process does, however that ends."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

from nlp_transfer.files import write_json

_PREFIX = "nlp_transfer-"
_OWNER = "owner.json"
_LARGEST = 10_000  # bytes


def scratch_folder() -> str:
    """Name the process's own folder."""
    return _scratch().name


def remove_scratch() -> None:
    """Delete the folder, if there is one, before the process ends without tidying up."""
    if _scratch.cache_info().currsize:
        _scratch().cleanup()


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    from nlp_transfer.processes.identity import ProcessId

    for owner in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_OWNER}"):
        with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
            if ProcessId(**json.loads(owner.read_bytes()[:_LARGEST])).is_gone():  # it was killed
                shutil.rmtree(owner.parent, ignore_errors=True)
    folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
    write_json(Path(folder.name, _OWNER), ProcessId.here().as_dict())
    return folder
