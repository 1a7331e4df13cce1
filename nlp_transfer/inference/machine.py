"""A device in, what this machine computes with out: what decides which engine is fastest here."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from nlp_transfer import __version__

_CPU_INFO = Path("/proc/cpuinfo")
_CAPABILITIES = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
_PACKAGES = ("torch", "transformers", "onnxruntime")

Machine = dict[str, str | int]


def describe_machine(device: str) -> Machine:
    """Say what the speed of engines depends on beside the model.

    device: that PyTorch computes on
    """
    import torch

    has = torch.cpu.get_capabilities()
    known: Machine = {
        "processor": _processor(),
        "cores": int(has.get("num_physical_cores", 0)),
        "threads": torch.get_num_threads(),
        "capabilities": " ".join(name for name in _CAPABILITIES if has.get(name)),
        "device": device.partition(":")[0],
        "nlp_transfer": __version__,
        **{name: _version(name) for name in _PACKAGES},
    }
    if device.startswith("cuda"):
        known["gpu"] = torch.cuda.get_device_name(device)
    return known


def key_of(machine: Machine) -> str:
    """Name a machine by all that is said of it, in few characters of hex."""
    return hashlib.sha256(json.dumps(machine, sort_keys=True).encode()).hexdigest()[:16]


def _processor() -> str:
    """Name the processor as its maker does."""
    try:
        lines = _CPU_INFO.read_text("utf-8", "replace").splitlines()
    except OSError:  # another system
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
