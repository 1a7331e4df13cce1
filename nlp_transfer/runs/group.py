"""What a run or a job writes, held for all of its processes: they are alike, and all see it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer import __version__
from nlp_transfer.errors import UserError
from nlp_transfer.processes import TIMEOUT_MINUTES, is_main_process, world_size
from nlp_transfer.processes.identity import machine
from nlp_transfer.processes.lost import noticing_lost
from nlp_transfer.processes.meeting import Meeting
from nlp_transfer.processes.sight import comes_into_sight
from nlp_transfer.runs.holder import Holder
from nlp_transfer.runs.lock import LOCK, Lock
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.strategies.context import TransferRecipe

if TYPE_CHECKING:
    from transformers import TrainerCallback

_PACKAGES = ("torch", "transformers", "accelerate", "datasets", "tokenizers", "peft")
"""Packages that processes must have in the same version."""


@contextlib.contextmanager
def held_by_all(
    folder: RunFolder, recipe: TransferRecipe, *, fresh: bool
) -> Iterator[Sequence[TrainerCallback]]:
    """Let no other run write to a folder while this one is at it, all its processes alike.

    fresh:  the run in it will be deleted
    yields: what watches over it in training
    raises: UserError on all processes, for the first that differs or cannot use the folder
    """
    group = _Group(
        folder.path,
        sees=partial(_has_same, folder),
        said={"--fresh": fresh, **recipe.written()},
        minutes=recipe.training.timeout_minutes,
    )
    with group.holding(folder.held(fresh=fresh)) as lock:
        yield _watching(lock)


@contextlib.contextmanager
def output_held_by_all(output: Path, said: Mapping[str, object]) -> Iterator[None]:
    """Let no other command write a file while this one is at it, all its processes alike.

    said:   what the file depends on
    raises: UserError on all processes, for the first that differs or cannot use the file
    """
    path = output.with_name(f".{output.name}{LOCK}")
    group = _Group(output, partial(_is_of, path), said, TIMEOUT_MINUTES)
    with group.holding(Lock(path, output)):
        yield


def check_same_read(recipe: TransferRecipe, data: Mapping[str, object]) -> None:
    """Go on only if all processes have read the same.

    data: as data.json has it
    """
    if world_size() > 1:
        said = dict(_flat({"labels": data.get("labels"), "read": data["read"]}))
        Meeting(recipe.training.timeout_minutes).agree(said)


class _Group:
    """The processes of one command, and the path that it writes to."""

    def __init__(
        self,
        path: Path,
        sees: Callable[[str | None], bool],
        said: Mapping[str, object],
        minutes: float,
    ) -> None:
        """Note what all are to say.

        sees: tells whether the path has the lock with this token; None: it needs none
        """
        self._path, self._sees, self._said, self._minutes = path, sees, said, minutes

    @contextlib.contextmanager
    def holding(self, lock: AbstractContextManager[Lock | None]) -> Iterator[Lock | None]:
        """Hold a lock on the main process, as soon as all say the same and see it."""
        with contextlib.ExitStack() as stack:
            held = problem = None
            if is_main_process():
                try:
                    held = stack.enter_context(lock)
                except UserError as error:
                    problem = error
            if world_size() > 1:
                self._compare(held, problem)
            elif problem is not None:
                raise problem
            with noticing_lost(self._minutes):
                yield held

    def _compare(self, lock: Lock | None, problem: UserError | None) -> None:
        meeting, path = Meeting(self._minutes), str(self._path.absolute())
        token = lock.token if lock else None
        told = meeting.from_main(
            {"machine": machine(), "token": token, "path": path, "refused": problem is not None}
        )
        if not is_main_process() and not told["refused"]:
            look = partial(self._sees, told["token"])
            if not comes_into_sight(look, of=told["machine"]):
                problem = UserError(
                    f"{path} is not the {told['path']} that process 0 sees. All processes need one "
                    "--output that all see: name one on a shared disk."
                )
        meeting.agree({**_versions(), **dict(_flat(self._said))}, problem)


def _has_same(folder: RunFolder, token: str | None) -> bool:
    if token is None:
        return folder.state() == "finished"
    return _is_of(folder.path / LOCK, token)


def _is_of(lock: Path, token: str | None) -> bool:
    holder = Holder.read(lock)
    return holder is not None and holder.token == token


def _watching(lock: Lock | None) -> Sequence[TrainerCallback]:
    if lock is None:
        return ()
    from nlp_transfer.runs.keeping import KeepsFolder

    return (KeepsFolder(lock),)


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
