"""Whether the disk takes what a run writes: before its first step, and when a write fails."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nlp_transfer import files
from nlp_transfer.errors import UserError


def disk_bytes(*, trainable_parameters: int, total_parameters: int, tasks: int = 1) -> int:
    """Estimate what a run needs on disk: a model a task, two checkpoints with Adam's moments."""
    return 4 * ((2 + tasks) * total_parameters + 2 * 2 * trainable_parameters)


def received_bytes(*, trainable_parameters: int, total_parameters: int) -> int:
    """Estimate what a process receives that does not see the run's folder.

    That is: the checkpoint that it goes on from with Adam's moments, and the best weights.
    """
    return 4 * (2 * total_parameters + 2 * trainable_parameters)


def check_scratch_space(folder: Path, needed: int) -> None:
    """Refuse a run of which what is sent to this machine will not fit.

    needed: bytes
    """
    if (free := _free(folder)) < needed:
        raise UserError(
            f"TMPDIR: {folder} may need {needed / 1e9:.1f} GB for what is sent of the run, whose "
            f"folder is not seen here; the disk has {free / 1e9:.1f} GB free. Set TMPDIR to a "
            "folder on a larger disk, or name an --output that all processes see."
        )


def check_disk_space(folder: Path, needed: int) -> None:
    """Refuse a run whose checkpoints will not fit.

    needed: bytes
    """
    if (free := _free(folder)) < needed:
        raise UserError(
            f"--output: {folder} needs about {needed / 1e9:.1f} GB for the model and its "
            f"checkpoints, the disk has {free / 1e9:.1f} GB free. Free some space, or choose "
            "another disk with --output DIR."
        )


def _free(folder: Path) -> int:
    return shutil.disk_usage(_existing(folder)).free


def _existing(folder: Path) -> Path:
    """Return a folder, or the nearest above it that exists."""
    return next(p for p in (folder, *folder.absolute().parents) if p.exists())


def check_writable(folder: Path) -> None:
    """Try to write where a run will write, without leaving anything."""
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)) as probe:
            probe.write(b"nlpt")
    except OSError as error:
        raise UserError(
            f"--output: {folder} cannot be written: {error.strerror}. Choose another folder "
            "with --output DIR."
        ) from None


@contextlib.contextmanager
def noticing_full_disk(folder: Path) -> Iterator[None]:
    """Say so when a write fails because the disk is full."""
    try:
        yield
    except Exception as error:
        if isinstance(error, UserError) or not files.is_full(folder, error):
            raise
        raise UserError(
            f"The disk of {folder} is full. Free some space and run the same command again: "
            "it goes on from the last checkpoint."
        ) from error
