"""What a run or a job writes, held for all of its processes, which are alike."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_transfer import __version__
from nlp_transfer.errors import UserError
from nlp_transfer.manifest import sha256_of
from nlp_transfer.processes import TIMEOUT_MINUTES, is_main_process, world_size
from nlp_transfer.processes.identity import machine
from nlp_transfer.processes.lost import noticing_lost
from nlp_transfer.processes.meeting import Meeting
from nlp_transfer.processes.sharing import is_apart
from nlp_transfer.processes.sight import comes_into_sight
from nlp_transfer.runs.holder import Holder
from nlp_transfer.runs.lock import LOCK, Lock
from nlp_transfer.runs.own_folder import own_folder
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.strategies.context import TransferRecipe

if TYPE_CHECKING:
    from transformers import TrainerCallback

_PACKAGES = ("torch", "transformers", "accelerate", "datasets", "tokenizers", "peft")
"""Packages that processes must have in the same version."""


@contextlib.contextmanager
def held_by_all(
    folder: RunFolder, recipe: TransferRecipe, *, fresh: bool
) -> Iterator[tuple[RunFolder, Sequence[TrainerCallback]]]:
    """Let no other run write to a folder while this one is at it, all its processes alike.

    fresh:  the run in it will be deleted
    yields: the folder from which this process reads the run, and what watches over it in training
    raises: UserError on all processes, for the first that differs or cannot use the folder
    """
    minutes = recipe.training.timeout_minutes
    group = _Group(
        folder.path,
        sees=partial(_has_same, folder),
        said={"--fresh": fresh, **recipe.written()},
        minutes=minutes,
        must_see=partial(_must_see_run, recipe),
    )
    with (
        group.holding(folder.held(fresh=fresh)) as (lock, sees),
        own_folder(folder, minutes, sees=sees, fresh=fresh) as own,
    ):
        yield own, _watching(lock)


@contextlib.contextmanager
def output_held_by_all(output: Path, said: Mapping[str, object]) -> Iterator[None]:
    """Let no other command write a file while this one is at it, all its processes alike.

    said:   what the file depends on
    raises: UserError on all processes, for the first that differs or cannot use the file
    """
    path = output.with_name(f".{output.name}{LOCK}")
    group = _Group(output, partial(_is_of, path), said, TIMEOUT_MINUTES, must_see=lambda: _EACH)
    with group.holding(Lock(path, output)):
        yield


def check_same_read(recipe: TransferRecipe, data: Mapping[str, object]) -> None:
    """Go on only if all processes have read the same.

    data: as data.json has it
    """
    if world_size() > 1:
        said = dict(_flat({"labels": data.get("labels"), "read": data["read"]}))
        Meeting(recipe.training.timeout_minutes).agree(said)


@contextlib.contextmanager
def ending_together(minutes: float) -> Iterator[None]:
    """Let a mistake that one process finds end all, with one message.

    raises: UserError on all processes
    """
    problem = None
    try:
        yield
    except UserError as error:
        problem = error
    if world_size() > 1:
        Meeting(minutes).agree({}, problem)
    elif problem is not None:
        raise problem


class _Group:
    """The processes of one command, and the path that it writes to."""

    def __init__(
        self,
        path: Path,
        sees: Callable[[str], bool],
        said: Mapping[str, object],
        minutes: float,
        *,
        must_see: Callable[[], str | None],
    ) -> None:
        """Note what all are to say.

        sees:     tells whether the path has the lock with this token, or is finished with it
        must_see: says why all processes must see it, and what else to do; None: they need not
        """
        self._path, self._sees, self._said, self._minutes = path, sees, said, minutes
        self._must_see = must_see

    @contextlib.contextmanager
    def holding(
        self, lock: AbstractContextManager[Lock | None]
    ) -> Iterator[tuple[Lock | None, bool]]:
        """Hold a lock on the main process, as soon as all say the same.

        yields: the lock, and whether this process sees what it is of
        """
        with contextlib.ExitStack() as stack:
            held = problem = None
            sees = True
            if is_main_process():
                try:
                    held = stack.enter_context(lock)
                except UserError as error:
                    problem = error
            if world_size() > 1:
                sees = self._compare(held, problem)
            elif problem is not None:
                raise problem
            with noticing_lost(self._minutes):
                yield held, sees

    def _compare(self, lock: Lock | None, problem: UserError | None) -> bool:
        """Go on only if all say the same; tell whether this process sees what the lock is of."""
        meeting, path = Meeting(self._minutes), str(self._path.absolute())
        told = meeting.from_main(
            {"machine": machine(), "path": path, "token": None if problem else self._token(lock)}
            if is_main_process()
            else None
        )
        sees = told["token"] is None or self._is_seen(told)
        if not sees and (why := self._must_see()):
            problem = UserError(f"{path} is not the {told['path']} that process 0 sees. {why}")
        meeting.agree({**_versions(), **dict(_flat(self._said))}, problem)
        return sees

    def _token(self, lock: Lock | None) -> str:
        """Return what can only be found in the path itself: of a finished run, its figures."""
        return lock.token if lock else sha256_of(self._path / "metrics.json")

    def _is_seen(self, told: Mapping[str, Any]) -> bool:
        if is_main_process() or is_apart():
            return is_main_process()
        look = partial(self._sees, told["token"])
        return comes_into_sight(look, self._path, of=told["machine"])


_EACH = (
    "Each process writes what it predicts, so all need one --output that all see: name one on a "
    "shared disk, or predict a part of the input on each machine, without a launcher over all."
)


def _must_see_run(recipe: TransferRecipe) -> str | None:
    """Say why all processes must see the folder of a run; None: they need not."""
    from nlp_transfer.training.wrapping import asks_for_shards

    if not asks_for_shards(recipe.training.arguments):
        return None
    return (
        "FSDP and DeepSpeed write checkpoints by all processes, so all need one --output that all "
        "see: name one on a shared disk, or train without shards (DDP)."
    )


def _has_same(folder: RunFolder, token: str) -> bool:
    metrics = folder.path / "metrics.json"
    return _is_of(folder.path / LOCK, token) or (metrics.is_file() and sha256_of(metrics) == token)


def _is_of(lock: Path, token: str) -> bool:
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
