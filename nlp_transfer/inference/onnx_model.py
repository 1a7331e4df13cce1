"""An exported folder in, a model that onnxruntime computes out, in the place of PyTorch's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError
from nlp_transfer.manifest import check_folder
from nlp_transfer.models.checkpoint import download_export, resolve_checkpoint
from nlp_transfer.models.hostile import weight_files
from nlp_transfer.models.loading import ADAPTER_FILE
from nlp_transfer.recipe.paths import local_path, looks_like_path

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig

ENGINES = ("auto", "torch", "compiled", "onnx")
FOLDER = "onnx"
"""Where in a run folder its export lies, unless another place was named."""
MODEL_FILE = "model.onnx"
FEATURES = "features"
"""The second output of a model that tells texts of none of its classes."""
TOKENS_PER_BATCH = 512
"""Pieces that onnxruntime computes fastest at a time; 1,024 took 1.1 times as long, 2,048 1.3."""

# Layer norms fused with the sum before them are computed value by value, eight times as long.
_SLOW_FUSIONS = ["SkipLayerNormFusion"]


@dataclass(frozen=True)
class Outputs:
    """What a model answers, under transformers' name."""

    logits: torch.Tensor


class OnnxModel:
    """Answers as a transformers model does: called with a batch, it returns logits. CPU only."""

    def __init__(self, folder: Path, config: PreTrainedConfig) -> None:
        """Load the model of a folder.

        config: the transformers configuration beside it
        raises: UserError when onnxruntime is not installed, or cannot read the file
        """
        import torch

        runtime = import_extra("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # what fails is raised as well
        # Between batches PyTorch computes; threads that wait by spinning would take its cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.config = config
        self._file = folder / MODEL_FILE
        self.device = torch.device("cpu")
        try:
            self._session = runtime.InferenceSession(
                folder / MODEL_FILE,
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=_SLOW_FUSIONS,
            )
        except Exception as error:  # its errors have no base class of their own
            raise UserError(
                f"{folder / MODEL_FILE} cannot be read by onnxruntime {runtime.__version__}: "
                f"{str(error).splitlines()[0]} Export it again: nlpt export RUN"
            ) from None
        self._inputs = [given.name for given in self._session.get_inputs()]
        self._outputs = ["logits"]

    def eval(self) -> OnnxModel:
        """Do nothing: an exported model is always ready to predict."""
        return self

    @contextlib.contextmanager
    def features_behind_logits(self) -> Iterator[None]:
        """Let it return what `models.features` says of texts behind the logits."""
        self._outputs = ["logits", FEATURES]
        try:
            yield
        finally:
            self._outputs = ["logits"]

    def __call__(self, **batch: torch.Tensor) -> Outputs:
        """Compute a batch.

        batch:   input_ids, attention_mask and what else was exported, (windows, pieces) each
        returns: logits of (windows, pieces, labels) or (windows, labels), or with the features
        """
        import torch

        feed = {name: batch[name].numpy() for name in self._inputs}
        try:
            logits, *behind = map(torch.from_numpy, self._session.run(self._outputs, feed))
        except Exception as error:  # its errors have no base class of their own
            raise UserError(
                f"{self._file} cannot compute this input: {str(error).splitlines()[0]} Are its "
                "tokenizer and config.json its own? Export it again: nlpt export RUN"
            ) from None
        if logits.shape[-1] != len(self.config.id2label):
            raise UserError(
                f"{self._file} has {logits.shape[-1]} outputs, config.json beside it names "
                f"{len(self.config.id2label)}. Export it again: nlpt export RUN"
            )
        return Outputs(torch.cat((logits, *behind), dim=-1))


def import_extra(package: str) -> ModuleType:
    """Import a package of the `export` extra.

    raises: UserError that says how to install it
    """
    try:
        return import_module(package)
    except ImportError:
        raise UserError(
            f"ONNX needs {package}, which is not installed. Install it with: "
            "pip install 'nlp-transfer[export]'"
        ) from None


def find_model(name: str, engine: str, setting: str) -> tuple[Path, str]:
    """Find the folder of a model, and tell what is to compute it: torch, compiled or onnx.

    engine:  torch; compiled, of the same files; onnx; auto: torch, or onnx where nothing else is
    setting: the argument or recipe key that named it, for error messages
    raises:  UserError when there is no such model, none for the engine, or a damaged one
    """
    if engine not in ENGINES:
        raise UserError(f"--engine: {engine!r} is unknown ({', '.join(ENGINES)}).")
    if engine == "onnx":
        path = local_path(name)
        if not (path.exists() or looks_like_path(name)):
            path = download_export(name, FOLDER, setting)
        return _exported(path, setting), "onnx"
    folder = resolve_checkpoint(name, setting=setting)
    of_torch = weight_files(folder, "*.bin") or (folder / ADAPTER_FILE).is_file()
    only_onnx = (folder / MODEL_FILE).is_file() and not of_torch
    if only_onnx and engine != "auto":
        raise UserError(
            f"{setting}: {folder} holds an ONNX model only, which PyTorch does not compute. "
            "Leave out --engine, or name the run it was exported from."
        )
    return folder, "onnx" if only_onnx else engine.replace("auto", "torch")


def _exported(path: Path, setting: str) -> Path:
    for folder in (path, path / FOLDER):
        if (folder / MODEL_FILE).is_file():
            check_folder(folder, setting)
            return folder
    raise UserError(
        f"{setting}: {path} holds no ONNX model ({MODEL_FILE}). "
        f"Export it first: nlpt export {path} --format onnx"
    )
