"""A run's folder, held for all of its processes: those that are alike, and that all see it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_transfer import __version__
from nlp_transfer.errors import UserError
from nlp_transfer.processes import is_main_process, world_size
from nlp_transfer.processes.identity import machine
from nlp_transfer.processes.meeting import Meeting
from nlp_transfer.runs.holder import Holder
from nlp_transfer.runs.lock import LOCK, Lock
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.strategies.context import TransferRecipe

if TYPE_CHECKING:
    from transformers import TrainerCallback

_PACKAGES = ("torch", "transformers", "accelerate", "datasets", "tokenizers", "peft")
"""Packages that processes must have in the same version."""
_PATIENCE = (1.0, 60.0)
"""Seconds in which a file comes into sight that another process wrote: one on this machine, and one
on another, over NFS with its usual caches."""


@contextlib.contextmanager
def held_by_all(
    folder: RunFolder, recipe: TransferRecipe, *, fresh: bool
) -> Iterator[Sequence[TrainerCallback]]:
    """Let no other run write to a folder while this one is at it, all its processes alike.

    fresh:  the run in it will be deleted
    yields: what watches over it in training
    raises: UserError on all processes, for the first that differs or cannot use the folder
    """
    with contextlib.ExitStack() as stack:
        lock = problem = None
        if is_main_process():
            try:
                lock = stack.enter_context(folder.held(fresh=fresh))
            except UserError as error:
                problem = error
        if world_size() > 1:
            _compare(folder, recipe, lock, problem, fresh=fresh)
        elif problem is not None:
            raise problem
        yield _watching(lock)


def _watching(lock: Lock | None) -> Sequence[TrainerCallback]:
    if lock is None:
        return ()
    from nlp_transfer.runs.keeping import KeepsFolder

    return (KeepsFolder(lock),)


def check_same_read(recipe: TransferRecipe, data: Mapping[str, object]) -> None:
    """Go on only if all processes have read the same.

    data: as data.json has it
    """
    if world_size() > 1:
        said = dict(_flat({"labels": data.get("labels"), "read": data["read"]}))
        Meeting(recipe.training.timeout_minutes).agree(said)


def _compare(
    folder: RunFolder,
    recipe: TransferRecipe,
    lock: Lock | None,
    problem: UserError | None,
    *,
    fresh: bool,
) -> None:
    meeting = Meeting(recipe.training.timeout_minutes)
    where = {"machine": machine(), "token": lock and lock.token, "path": _shown(folder)}
    told = meeting.from_main({**where, "refused": problem is not None})
    if not is_main_process() and not told["refused"] and not _sees(folder, told):
        problem = UserError(
            f"{_shown(folder)} is not the folder {told['path']} of process 0. All processes of a "
            "run need one folder that all see: name one on a shared disk with --output DIR."
        )
    said = {"--fresh": fresh, **_versions(), **dict(_flat(recipe.written()))}
    meeting.agree(said, problem)


def _shown(folder: RunFolder) -> str:
    return str(folder.path.absolute())


def _sees(folder: RunFolder, told: Mapping[str, Any]) -> bool:
    """Tell whether the folder is the main process's: it has the same lock, or a finished run."""
    until = time.monotonic() + _PATIENCE[told["machine"] != machine()]
    while not _is_same(folder, told["token"]):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def _is_same(folder: RunFolder, token: str | None) -> bool:
    if token is None:
        return folder.state() == "finished"
    holder = Holder.read(folder.path / LOCK)
    return holder is not None and holder.token == token


def _versions() -> dict[str, str]:
    python = ".".join(platform.python_version_tuple()[:2])
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"python": python, "nlp_transfer": __version__, **packages}


def _flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """List the leaves of nested values by their paths.

    Files may lie elsewhere on each machine; it is their content that is compared.
    """
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        yield from _flat(dict(enumerate(value)), path)
    elif isinstance(value, str) and Path(value).is_absolute():
        yield path, Path(value).name
    else:
        yield path, str(value)
