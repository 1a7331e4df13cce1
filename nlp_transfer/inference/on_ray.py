"""Many files predicted on a Ray cluster: each by one worker, whole or not at all.

Scaling, retries and restarts are Ray Data's. A worker that is killed leaves nothing: its file is
begun anew by another, to the very same bytes.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from nlp_transfer import files
from nlp_transfer.data.many_files import FilePair
from nlp_transfer.errors import UserError, nearest
from nlp_transfer.inference.file_jobs import FileJobs
from nlp_transfer.inference.opening import Models

Open = Callable[[], Models]

_ENGINE = "ray"
_CONNECT_SECONDS = 10.0


def check_engine(on: str) -> None:
    """Refuse what is no engine, or not there: before a model is loaded.

    raises: UserError
    """
    name, _, address = on.partition("://")
    if name != _ENGINE or (address and not re.fullmatch(r"[^\s/]+:\d{1,5}", address)):
        raise UserError(
            f"--on: {on!r} is unknown (ray, ray://HOST:PORT).{nearest(name, [_ENGINE])}"
        )
    _ray()
    if not address:
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise UserError(
            f"--on: nothing answers at {address} ({error}). Name the host of the cluster's head "
            "and the port of its client server, 10001 by default."
        ) from None


def predict_on_ray(on: str, pairs: Sequence[FilePair], jobs: FileJobs, open_: Open) -> list[str]:
    """Predict files by as many workers as the cluster has GPUs, or processors.

    on:      as `check_engine` takes it
    open_:   loads what predicts, on each worker
    returns: what cannot be read, and why
    """
    ray = _ray()
    with _connected(on):
        resources = ray.cluster_resources()
        gpus, processors = (int(resources.get(kind, 0)) for kind in ("GPU", "CPU"))
        rows = [{"input": str(pair.input), "output": str(pair.output)} for pair in pairs]
        done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _Worker,
            fn_constructor_args=(open_, jobs),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(
                min_size=1, max_size=max(1, min(len(rows), gpus or processors))
            ),
            num_gpus=1 if gpus else 0,
            num_cpus=1,
        )
        try:
            faults = [row["fault"] for row in done.iter_rows() if row["fault"]]
        except ray.exceptions.RayError as error:
            raise _cause(error) from None
    for pair in pairs:  # of workers that were killed
        for left in files.leftovers(pair.output):
            files.remove(left)
    return faults


class _Worker:
    """Predicts files, one at a time."""

    def __init__(self, open_: Open, jobs: FileJobs) -> None:
        self._predictor, self._jobs = open_(), jobs

    def __call__(self, batch: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        pairs = [
            FilePair(*map(Path, pair)) for pair in zip(batch["input"], batch["output"], strict=True)
        ]
        faults = [self._jobs.predict(self._predictor, pair, in_parts=False) for pair in pairs]
        return {"fault": [fault or "" for fault in faults]}


def _ray() -> Any:
    """Import Ray, which tells nobody of its use.

    raises: UserError that says how to install it
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import_module("ray.data")
        return import_module("ray")
    except ImportError as error:
        raise UserError(
            f"--on ray needs Ray Data, which is not installed ({error}). Install it with: "
            "pip install 'nlp-transfer[ray]'"
        ) from None


@contextmanager
def _connected(on: str) -> Iterator[None]:
    """Be with the cluster that is named, that RAY_ADDRESS names, or a new one of this machine."""
    ray = _ray()
    if ray.is_initialized():
        yield
        return
    named = on if "://" in on else None
    local = {} if named or "RAY_ADDRESS" in os.environ else {"include_dashboard": False}
    try:
        ray.init(named, log_to_driver=False, logging_level=logging.WARNING, **local)
    except (ConnectionError, RuntimeError, ValueError, ImportError) as error:
        raise UserError(f"--on: no connection to Ray: {error}") from None
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield
    finally:
        ray.shutdown()


def _cause(error: BaseException) -> BaseException:
    """Return the mistake of a user that a worker has found; else what Ray says."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return UserError(str(cause))
        cause = getattr(cause, "cause", None) or cause.__cause__
    return error
