"""A predictor in, a folder out that onnxruntime predicts with: ONNX, in fp32 or int8."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError
from nlp_transfer.inference.onnx_model import FEATURES, MODEL_FILE, OnnxModel, import_extra
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.logs import quiet
from nlp_transfer.manifest import sha256_of
from nlp_transfer.models.features import features_behind_logits
from nlp_transfer.onnx.int8 import quantize_weights, scale_for_int8
from nlp_transfer.onnx.record import ExportRecord, Parity
from nlp_transfer.records import Row

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)

OPSET = 18
"""The version of ONNX that is written if none is asked for; onnxruntime reads it since 1.14."""
NEWEST_OPSET = 23
"""The first with attention and GELU as operators; onnxruntime reads it since 1.23."""
FORMATS = ("onnx",)
MIN_AGREEMENT = {None: 0.999, "int8": 0.99}
"""Ways to quantize, and what share of words or texts each must predict as before."""
_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
_EXAMPLES = 16  # rows that the exporter traces the model with


def check_options(format: str, quantize: str | None, opset: int) -> None:
    """Refuse what cannot be exported to, and packages that are missing for it."""
    if format not in FORMATS:
        raise UserError(f"--format: {format!r} is unknown ({', '.join(FORMATS)}).")
    if quantize not in MIN_AGREEMENT:
        known = ", ".join(name for name in MIN_AGREEMENT if name)
        raise UserError(f"--quantize: {quantize!r} is unknown ({known}).")
    if not OPSET <= opset <= NEWEST_OPSET:
        raise UserError(f"--opset: {opset} is not written here ({OPSET} to {NEWEST_OPSET}).")
    for package in _PACKAGES:
        import_extra(package)


def write_export(
    predictor: Predictor, rows: Iterable[Row], folder: Path, *, quantize: str | None, opset: int
) -> None:
    """Write model.onnx, configuration and tokenizer; all a Predictor needs.

    rows:     a few, of those that will be predicted: they tell which inputs the model gets
    quantize: int8, or None for fp32
    opset:    version of ONNX
    raises:   UserError when the model cannot be exported
    """
    model = copy.deepcopy(predictor.loaded.model).cpu().eval()
    batch = _example_batch(predictor, rows)
    if model.config._attn_implementation != "eager":
        # One operator of the newest opset; of an older one, far more than eager attention becomes.
        model.set_attn_implementation("sdpa" if opset == NEWEST_OPSET else "eager")
    if quantize is not None:
        scale_for_int8(model, batch)
    known = predictor.loaded.known
    _export(model, batch, folder, opset, features=known is not None)
    if quantize is not None:
        quantize_weights(folder)
    if known is not None:
        known.save(folder)
    model.config.save_pretrained(folder)
    predictor.loaded.tokenizer.save_pretrained(folder)


def describe(
    predictor: Predictor, folder: Path, parity: Parity, *, format: str, quantize: str | None
) -> ExportRecord:
    """Say what was exported and by what, beside how alike both predict.

    folder: holds what `write_export` wrote
    """
    import onnx
    import torch

    (opset,) = (
        given.version
        for given in onnx.load(folder / MODEL_FILE, load_external_data=False).opset_import
        if not given.domain
    )
    weights = sum(tensor.nbytes for tensor in predictor.loaded.model.state_dict().values())
    size = sum(file.stat().st_size for file in folder.glob(f"{MODEL_FILE}*"))
    return ExportRecord(
        format=format,
        quantize=quantize,
        architecture=type(predictor.loaded.model).__name__,
        opset=opset,
        sha256=sha256_of(folder / MODEL_FILE),
        megabytes={"torch": weights / 1e6, "onnx": size / 1e6},
        versions={name: version(name) for name in ("torch", "transformers", *_PACKAGES)},
        threads=torch.get_num_threads(),
        processor_capability=torch.backends.cpu.get_cpu_capability(),
        parity=parity,
    )


def _example_batch(predictor: Predictor, rows: Iterable[Row]) -> dict[str, torch.Tensor]:
    """Return the inputs of a few windows, (windows, pieces) each."""
    encoded = predictor.encode(islice(rows, _EXAMPLES))
    windows = [window for own, _ in encoded for window in own]
    # Twice: the exporter takes a size of one for a constant.
    batch = predictor.task.windows.collate(windows * 2, predictor.loaded.tokenizer.pad_token_id)
    del batch["labels"]
    return batch


def _export(
    model: PreTrainedModel,
    batch: Mapping[str, torch.Tensor],
    folder: Path,
    opset: int,
    *,
    features: bool,
) -> None:
    """Write a model as ONNX, if onnxruntime computes it rightly then.

    batch:    inputs to trace it with, (windows, pieces) each
    features: with what it knows of a text as its second output
    """
    import torch

    def computed(by: PreTrainedModel | OnnxModel) -> torch.Tensor:
        with features_behind_logits(by) if features else nullcontext(), torch.inference_mode():
            logits: torch.Tensor = by(**batch).logits
        return logits

    expected = computed(model)
    read = batch["attention_mask"].bool() if expected.dim() == 3 else ...  # not the padding
    _write_onnx(model, batch, folder / MODEL_FILE, opset, features=features)
    try:
        found = computed(OnnxModel(folder, model.config))
    except Exception as error:  # onnxruntime's errors have no base class of their own
        log.debug("opset %d: %s", opset, error)
    else:
        if torch.allclose(found[read], expected[read], rtol=1e-3, atol=1e-3):
            return
    way_out = "Predict with the run as it is."
    if opset != OPSET:
        way_out = f"Leave --opset {opset} out: {OPSET} is read by older versions too."
    raise UserError(
        f"--format onnx: onnxruntime does not compute a {model.config.model_type!r} model of opset "
        f"{opset} as PyTorch does. {way_out}"
    )


def _write_onnx(
    model: PreTrainedModel,
    batch: Mapping[str, torch.Tensor],
    path: Path,
    opset: int,
    *,
    features: bool,
) -> None:
    """Trace a model with a batch, and write it for any number of windows and pieces.

    batch:    (windows, pieces) each
    features: as `_export` has them
    """
    import torch

    labels = model.config.num_labels

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
            logits: torch.Tensor = self.model(**dict(zip(batch, inputs, strict=True))).logits
            return (logits[:, :labels], logits[:, labels:]) if features else logits

    telling = features_behind_logits(model) if features else nullcontext()
    axes = {0: torch.export.Dim("windows"), 1: torch.export.Dim("pieces")}
    try:
        with quiet(), telling:
            program = torch.onnx.export(
                Logits(),
                tuple(batch.values()),
                dynamo=True,
                input_names=list(batch),
                output_names=["logits", FEATURES] if features else ["logits"],
                dynamic_shapes=((axes,) * len(batch),),
                opset_version=opset,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise UserError(
            f"--format onnx: PyTorch cannot export a {model.config.model_type!r} model: "
            f"{str(error).splitlines()[0]} Predict with the run as it is."
        ) from error
    assert program is not None
    program.save(path)
