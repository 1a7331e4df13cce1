"""What a run was made with: versions, hardware, commit, command line, seed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from typing import Any

import torch

from nlp_transfer.secrets import mask_command_line

_PACKAGES = (
    "torch", "transformers", "datasets", "evaluate", "accelerate", "peft", "seqeval",
    "scikit-learn", "tokenizers", "numpy",
)  # fmt: skip


def describe_environment(
    *, seed: int, world_size: int, wrapped: str | None = None
) -> dict[str, Any]:
    """Describe the machine and the software; secrets on the command line are masked.

    wrapped: what the model learns in, as `wrapper_of` names it
    """
    from nlp_transfer import __version__

    return {
        "nlp_transfer": __version__,
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "processor_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "world_size": world_size,
        "wrapped": wrapped,
        "git_commit": _git_commit(),
        "command_line": mask_command_line(sys.argv),
        "seed": seed,
    }


def _git_commit() -> str | None:
    """Return the commit of the folder the run was started in, if it is a repository."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
