"""The most memory that a run takes: of its GPU, or else of its process."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

_PROC = Path("/proc/self")


class PeakMemory:
    """Watches memory from when it is made: of this process, or of the GPU that it trains on.

    One process may train many models, one after the other; each of them is to have its own figure.
    """

    def __init__(self) -> None:
        self._on_gpu = torch.cuda.is_available()
        if self._on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        self._is_fresh = _forget_peak()
        self._before = _process_peak()

    @property
    def megabytes(self) -> float | None:
        """The peak since then, in units of a million bytes.

        None: where the system counts from the start of the process only, and more was taken then.
        """
        if self._on_gpu:
            return round(torch.cuda.max_memory_allocated() / 1e6, 1)
        peak = _process_peak()
        if peak is None or not (self._is_fresh or peak > (self._before or 0)):
            return None
        return round(peak / 1e6, 1)

    @property
    def bytes(self) -> int:
        """The peak since then; where the system does not tell it, that of the whole process."""
        known = self.megabytes
        return round(known * 1e6) if known is not None else _process_peak() or 0


def _forget_peak() -> bool:
    """Let Linux count the peak of this process from now on; whether it does."""
    try:
        (_PROC / "clear_refs").write_text("5")
    except OSError:  # another system, or a container that forbids it
        return False
    return True


def _process_peak() -> int | None:
    """Return the most bytes that were resident at a time; None where the system does not tell."""
    try:
        lines = (_PROC / "status").read_text("ascii", "replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
