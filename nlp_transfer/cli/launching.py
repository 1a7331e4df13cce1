"""A command on a machine with several GPUs and no launcher in; one process of it a GPU out."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from nlp_transfer.errors import BY_SIGNAL, ENDING, UserError
from nlp_transfer.processes import was_launched

_GRACE = 120
"""Seconds that processes have to save and end after a signal, before they are killed."""
_SIZES = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE")
"""How many processes launchers say that they have started; srun says it of one, too."""
_DEVICES = ("nvidia[0-9]*", "kfd", "accel*", "dri/renderD*", "davinci[0-9]*")
"""Files in /dev of GPUs and their like: without them nobody need wait for torch to count them."""

ProcessesOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1024,
        help="Processes to start on this machine: one a GPU by default, 1 for one GPU only. On a "
        "machine without GPUs, so many on its CPUs.",
    ),
]


def run_in_processes(wanted: int | None) -> None:
    """Start this command once for each GPU, where that is not done already, and end with it.

    wanted: so many processes, if not one a GPU
    raises: UserError for more processes than there are GPUs
    """
    if wanted == 1 or was_launched() or _is_one_of_several():
        return
    count = _gpus()
    if wanted and count and wanted > count:
        raise UserError(
            f"--processes {wanted}: this machine shows {count} GPUs, and each process needs one of "
            "its own. CUDA_VISIBLE_DEVICES says which are shown."
        )
    if (processes := wanted or count) > 1:
        sys.exit(_ended(processes))


def _is_one_of_several() -> bool:
    return any(os.environ.get(name, "1") != "1" for name in _SIZES)


def _gpus() -> int:
    if not any(next(Path("/dev").glob(pattern), None) for pattern in _DEVICES):
        return 0
    import torch

    return torch.accelerator.device_count() if torch.accelerator.is_available() else 0


def _ended(processes: int) -> int:
    """Run the processes to their end; return the exit code of the first that has failed."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    logging.disable(logging.CRITICAL)  # what went wrong is said by the process where it did
    with tempfile.TemporaryDirectory(prefix="nlpt-") as logs:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            logs_specs=DefaultLogsSpecs(log_dir=logs),
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",  # any port that is free
            max_restarts=0,
            signals_to_handle=",".join(number.name for number in ENDING),
            shutdown_timeout=_GRACE,
        )
        try:
            elastic_launch(config, sys.executable)("-m", "nlp_transfer", *sys.argv[1:])
        except SignalException as ended:
            return BY_SIGNAL + ended.sigval
        except ChildFailedError as failed:
            code: int = failed.get_first_failure()[1].exitcode
            return code if code > 0 else BY_SIGNAL - code
    return 0
