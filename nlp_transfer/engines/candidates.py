"""A model in, the engines that could compute it out, each to be started when its turn comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nlp_transfer.engines.examples import Examples
from nlp_transfer.errors import UserError
from nlp_transfer.inference.found_engines import exported_sha256
from nlp_transfer.inference.onnx_model import FOLDER
from nlp_transfer.inference.precision import resolve_precision
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.inference.soup import check_whole
from nlp_transfer.onnx.export import OPSET, check_options, write_export
from nlp_transfer.onnx.record import quantized_in


@dataclass(frozen=True)
class Candidate:
    """An engine that could compute a model."""

    name: str
    engine: str
    precision: str
    start: Callable[[], Predictor]
    """Load it; UserError where it cannot be had here."""
    sha256: str | None = None
    """Of the ONNX model, where it lies in the run."""


def candidates(run: str, model: Predictor, examples: Examples, scratch: Path) -> list[Candidate]:
    """List the engines; what a run does not hold of ONNX is exported when it is started.

    model:   the same run, computed by PyTorch
    scratch: a folder for exports
    """
    device = str(model.loaded.model.device)
    own = resolve_precision("auto", device)
    load = partial(Predictor.from_run, run, setting="RUN")
    bf16 = partial(load, engine="torch", precision="bf16", device=device)
    found = [
        Candidate(
            "torch-fp32",
            "torch",
            "fp32",
            partial(load, engine="torch", precision="fp32", device=device),
        ),
        Candidate("torch-bf16", "torch", "bf16", bf16 if own == "bf16" else _no_bf16),
        Candidate("compiled", "compiled", own, partial(load, engine="compiled", device=device)),
    ]
    for quantize in (None, "int8"):
        name = f"onnx-{quantize or 'fp32'}"
        if quantized_in(Path(run) / FOLDER) == (quantize or "fp32"):
            start, sha256 = partial(load, engine="onnx"), exported_sha256(run)
        else:
            start, sha256 = partial(_exported, model, examples, quantize, scratch / name), None
        found.append(Candidate(name, "onnx", quantize or "fp32", start, sha256))
    return found


def _no_bf16() -> Predictor:
    raise UserError("this machine has no instructions for bf16, and emulates them slowly")


def _exported(
    model: Predictor, examples: Examples, quantize: str | None, folder: Path
) -> Predictor:
    check_options("onnx", quantize, OPSET)
    check_whole([model])
    folder.mkdir()
    write_export(model, examples.rows, folder, quantize=quantize, opset=OPSET)
    return Predictor.from_run(folder, engine="onnx", setting="RUN")
