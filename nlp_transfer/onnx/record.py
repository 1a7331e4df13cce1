"""What is said of an export: where it lies, what made it, how alike it predicts and how fast."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nlp_transfer.errors import UserError
from nlp_transfer.inference.onnx_model import FOLDER

RECORD = "export.json"


@dataclass(frozen=True)
class F1:
    """F1 of a model and of its export, fractions."""

    torch: float
    onnx: float
    change: float
    change95: float
    """How far the change may be off by chance."""


@dataclass(frozen=True)
class Speed:
    """Sentences or texts a second; PyTorch's as it computes by itself."""

    torch: float
    torch_precision: str
    torch_device: str
    onnx: float
    ratio: float


@dataclass(frozen=True)
class Parity:
    """How alike a model, in fp32, and its export predict the same examples."""

    split: str
    examples: int
    compared: int
    """Words or texts."""
    agreement: float
    """The share of them that is predicted as before."""
    f1: F1
    examples_per_second: Speed


@dataclass(frozen=True)
class ExportRecord:
    """All that export.json holds."""

    format: str
    quantize: str | None
    architecture: str
    opset: int
    sha256: str
    """Of model.onnx."""
    megabytes: Mapping[str, float]
    versions: Mapping[str, str]
    threads: int
    processor_capability: str
    parity: Parity

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def quantized_in(folder: Path) -> str | None:
    """Read how the export in a folder computes: fp32 or int8; None: there is none, or no record."""
    try:
        return json.loads((folder / RECORD).read_text("utf-8"))["quantize"] or "fp32"
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        return None


def export_folder(run: str | Path, output: str | Path | None) -> Path:
    """Name the folder to export into, if nothing else is there; one in a run is replaced."""
    folder = Path(output) if output else Path(run) / FOLDER
    if not output and not Path(run).is_dir():
        raise UserError(f"--output: {run} is no folder on this machine. Name one for the export.")
    if folder.exists() and (output or not (folder / RECORD).is_file()):
        raise UserError(f"--output: {folder} exists already. Name a new folder.")
    return folder
