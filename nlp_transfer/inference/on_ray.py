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
from operator import ne
from pathlib import Path
from typing import Any

from nlp_transfer import files
from nlp_transfer.data.many_files import FilePair
from nlp_transfer.errors import UserError, nearest
from nlp_transfer.inference.file_jobs import FileJobs
from nlp_transfer.inference.opening import Models
from nlp_transfer.manifest import looks_of

log = logging.getLogger(__name__)

_ENGINE = "ray"
_CONNECT_SECONDS = 10.0
_PROGRESS_SECONDS = 30.0


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


def predict_on_ray(
    on: str, pairs: Sequence[FilePair], jobs: FileJobs, load: Callable[[], Models]
) -> list[str]:
    """Predict files by as many workers as the cluster has GPUs, or processors.

    on:      as `check_engine` takes it
    load:    loads what predicts, on each worker
    returns: what cannot be read, and why
    """
    ray = _ray()
    with _connected(on):
        try:
            # By a task, as Ray Data does not compute for a client (2.60).
            told = ray.remote(num_cpus=0, max_retries=0)(_predict).remote(pairs, jobs, load)
            before = [looks_of(pair.output) for pair in pairs]
            while not ray.wait([told], timeout=_PROGRESS_SECONDS)[0]:
                done = sum(map(ne, before, (looks_of(pair.output) for pair in pairs)))
                log.info("%d of %d files are predicted", done, len(pairs))
            faults, mistake = ray.get(told)
        except ConnectionError as error:
            raise UserError(
                f"--on: the connection to Ray is lost ({error}). The same command does what is "
                "missing."
            ) from None
    if mistake:
        raise UserError(mistake)
    for pair in pairs:  # of workers that were killed
        for left in files.leftovers(pair.output):
            files.remove(left)
    return list(faults)


def _predict(
    pairs: Sequence[FilePair], jobs: FileJobs, load: Callable[[], Models]
) -> tuple[list[str], str]:
    """Predict files; return what cannot be read, and what no file can be predicted for, if any."""
    ray = _ray()
    ray.data.DataContext.get_current().enable_progress_bars = False
    resources = ray.cluster_resources()
    gpus, processors = (int(resources.get(kind, 0)) for kind in ("GPU", "CPU"))
    most = max(1, min(len(pairs), gpus or processors))
    rows = [{"input": str(pair.input), "output": str(pair.output)} for pair in pairs]
    done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        _Worker,
        fn_constructor_args=(load, jobs),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
        num_gpus=1 if gpus else 0,
        num_cpus=1,
    )
    faults: list[str] = []
    for row in done.iter_rows():
        if row["mistake"]:
            return faults, row["mistake"]
        faults += [row["fault"]] if row["fault"] else []
    return faults, ""


class _Worker:
    """Predicts files, one at a time."""

    def __init__(self, load: Callable[[], Models], jobs: FileJobs) -> None:
        self._load, self._jobs = load, jobs
        self._predictor: Models | None = None

    def __call__(self, batch: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        pair = FilePair(Path(batch["input"][0]), Path(batch["output"][0]))
        fault, mistake = None, ""
        try:
            self._predictor = self._predictor or self._load()
            fault = self._jobs.predict(self._predictor, pair, in_parts=False)
        except UserError as error:  # raised, it would come back as Ray's, with all it has to say
            mistake = str(error)
        return {"fault": [fault or ""], "mistake": [mistake]}


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
    try:
        yield
    finally:
        ray.shutdown()
