"""What `nlpt bench` found of a model on this machine, kept; which engine is to compute it, out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from nlp_transfer.data.arrow_tables import cache_folder
from nlp_transfer.files import write_text
from nlp_transfer.inference.identity import model_sha256
from nlp_transfer.inference.machine import Machine, describe_machine, key_of
from nlp_transfer.inference.onnx_model import FOLDER, MODEL_FILE
from nlp_transfer.manifest import read_manifest
from nlp_transfer.recipe import Section

MIN_ALIKE = 0.995
"""Share of the examples that an engine must answer as PyTorch in fp32 does, for auto to take it."""
_LARGEST = 2**20
"""Bytes of what was kept that are read."""

log = logging.getLogger(__name__)

_Rate = Annotated[float, Field(gt=0)]


class Found(Section):
    """One engine with one size of batch, as it was measured."""

    name: str
    """As the table of `nlpt bench` has it."""
    engine: Literal["torch", "compiled", "onnx"]
    precision: str
    tokens_per_batch: Annotated[int, Field(gt=0)]
    median: _Rate
    """Examples a second."""
    low: _Rate
    """In the slowest round."""
    high: _Rate
    agreement: Annotated[float, Field(ge=0, le=1)]
    """Share of the examples that are answered as by PyTorch in fp32."""
    by_itself: bool = False
    """Whether this is what computes where nothing was measured."""
    sha256: str | None = None
    """Of the ONNX model."""

    def is_told_from(self, other: Found) -> bool:
        """Tell whether the slowest round of the one was faster than the fastest of the other."""
        return self.low > other.high or other.low > self.high


class Findings(Section):
    """All that was measured of a model on a machine."""

    machine: Machine
    engines: Annotated[tuple[Found, ...], Field(min_length=1)]


def keep(findings: Findings, model: Path) -> Path:
    """Keep what was measured of the model of a folder, in the place of what was before.

    raises: OSError where the cache cannot be written
    """
    file = _file(findings.machine, model)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, findings.model_dump_json(indent=2) + "\n")
    return file


def read(model: Path, device: str) -> Findings | None:
    """Read what was measured of the model of a folder on this very machine; None: nothing was."""
    machine = describe_machine(device)
    # A model is read to be known by its content; not where nothing was ever measured.
    if not any(_folder().glob(f"{key_of(machine)}-*.json")):
        return None
    file = _file(machine, model)
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST:
            return None
        return Findings.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        log.warning("%s is damaged: measure again with nlpt bench", file)
        return None


def choose(findings: Findings, is_here: Callable[[Found], bool]) -> Found | None:
    """Choose the fastest of the engines that answer alike.

    Where what computes by itself cannot be told from it, that is chosen.

    is_here: tells whether an engine can be started as it was measured
    """
    engines = [one for one in findings.engines if one.agreement >= MIN_ALIKE and is_here(one)]
    best = max(engines, key=lambda one: one.median, default=None)
    if best is None:
        return None
    usual = next((one for one in engines if one.by_itself), None)
    return usual if usual is not None and not usual.is_told_from(best) else best


def why(chosen: Found, findings: Findings) -> str:
    """Say in a line which engine computes, and why."""
    usual = next((one for one in findings.engines if one.by_itself), None)
    than = f", {usual.name} {usual.median:,.0f}" if usual and usual.engine != chosen.engine else ""
    return (
        f"engine: {chosen.name}, {chosen.tokens_per_batch:,} pieces a batch, by what nlpt bench "
        f"measured on this machine: {chosen.median:,.0f} examples/s{than}; it answers "
        f"{100 * chosen.agreement:.1f} % of them as torch-fp32 does"
    )


def exported_sha256(run: str | Path) -> str | None:
    """Return the SHA-256 of the ONNX model in a run folder, as its manifest has it."""
    listed = read_manifest(Path(run) / FOLDER) or {}
    return listed[MODEL_FILE].sha256 if MODEL_FILE in listed else None


def _folder() -> Path:
    return cache_folder() / "engines"


def _file(machine: Machine, model: Path) -> Path:
    return _folder() / f"{key_of(machine)}-{model_sha256(model)[:32]}.json"
