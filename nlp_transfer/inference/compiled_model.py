"""A predictor in, the same with its model compiled for this machine out; what was made is kept.

What is kept is machine code that later starts run. So it lies in a folder that nobody else may
write or read, and is never a stranger's: it is not part of a run, and not published.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.data.arrow_tables import cache_folder
from nlp_transfer.data.items import Item
from nlp_transfer.data.words import split_words
from nlp_transfer.errors import UserError
from nlp_transfer.inference.identity import model_sha256
from nlp_transfer.inference.machine import describe_machine, key_of
from nlp_transfer.inference.onnx_model import Outputs
from nlp_transfer.inference.precision import autocast
from nlp_transfer.logs import quiet
from nlp_transfer.manifest import is_kept, verifiable_folder
from nlp_transfer.models.features import features_behind_logits

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

    from nlp_transfer.inference.predictor import Predictor

_FILE = "model.pt2"
_TEXTS = ("Ada Lovelace wrote to Paris.", "She never went there.")
_FURTHEST = 0.03
"""How far a logit may be from the model's own, of the largest: bf16 rounds to 0.4 %."""
_COMPILING = {
    "freezing": True,  # weights are cast and laid out for their products once and for all
    # The mask of attention is computed once, not again for every score: half the softmax's time.
    "realize_opcount_threshold": 4,
}

log = logging.getLogger(__name__)


class CompiledModel:
    """Answers as a transformers model does: called with a batch, it returns logits. CPU only."""

    def __init__(self, file: Path, config: PreTrainedConfig) -> None:
        """Load the code of a model, and its weights.

        config: its transformers configuration
        """
        import torch

        self.config = config
        self.device = torch.device("cpu")
        self._compute = torch._inductor.aoti_load_package(str(file))
        self._labels: int | None = len(config.id2label)

    def eval(self) -> CompiledModel:
        """Do nothing: a compiled model is always ready to predict."""
        return self

    @contextlib.contextmanager
    def features_behind_logits(self) -> Iterator[None]:
        """Let it return what `models.features` says of texts behind the logits."""
        labels, self._labels = self._labels, None
        try:
            yield
        finally:
            self._labels = labels

    def __call__(self, **batch: torch.Tensor) -> Outputs:
        """Compute a batch.

        batch:   what the task's windows are collated to, in that order, (windows, pieces) each
        returns: logits of (windows, pieces, labels) or (windows, labels), or with the features
        """
        return Outputs(self._compute(*batch.values())[..., : self._labels])


def compiled(predictor: Predictor) -> Predictor:
    """Return a predictor whose model is compiled, by an earlier start or now, which takes a minute.

    predictor: its model is PyTorch's, on the CPU
    raises:    UserError where PyTorch cannot compile it, there is no compiler, or the folder for
               what is kept is not the user's alone
    """
    home = _home()
    checkpoint = Path(predictor.options.checkpoint)
    target = _code_folder(checkpoint, predictor.precision, fast_cpu=predictor.fast_cpu)
    if target.is_dir() and home and is_kept(target):
        return _with_model(predictor, target)
    _check_compiler()
    log.info("the model is compiled for this machine; that takes a minute or more, once")
    if home:
        with verifiable_folder(target, replace=True) as folder:
            return _make(predictor, folder)
    log.warning("%s cannot be written: the next start compiles again", _folder())
    with tempfile.TemporaryDirectory() as scratch:
        return _make(predictor, Path(scratch))


def is_code_kept(model: Path, precision: str) -> bool:
    """Tell whether the model of a folder was compiled on this machine, and the code is here."""
    return (_code_folder(model, precision) / _FILE).is_file()


def _code_folder(model: Path, precision: str, *, fast_cpu: bool = True) -> Path:
    how = precision if fast_cpu else f"{precision}-plain"
    return _folder() / f"{key_of(describe_machine('cpu'))}-{model_sha256(model)[:32]}-{how}"


def _folder() -> Path:
    return cache_folder() / "compiled"


def _home() -> Path | None:
    """Make the folder of all code; None: it cannot be written.

    raises: UserError when others may write it, or have made it
    """
    folder = _folder()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return None
    mine = status.st_uid == os.geteuid() and stat.S_ISDIR(status.st_mode)
    if not mine or stat.S_IMODE(status.st_mode) & 0o077:
        raise UserError(
            f"--engine compiled: {folder} holds code that is run, and others may reach it. Let it "
            f"be yours alone (chmod 700 {folder}), or delete it."
        )
    return folder if os.access(folder, os.W_OK) else None


def _check_compiler() -> None:
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise UserError(
            f"--engine compiled: PyTorch needs a C++ compiler, and {compiler!r} is not there. "
            "Install g++, name another in the environment variable CXX, or leave --engine out."
        )


def _make(predictor: Predictor, folder: Path) -> Predictor:
    """Compile a model into a folder, and take it if it computes as the model does."""
    import torch

    from nlp_transfer.models.fast_cpu import sped_up

    model = predictor.loaded.model.eval()
    batch = _example_batch(predictor)
    known = predictor.loaded.known is not None
    kind = model.config.model_type
    whole = _in_positions(model, list(batch), predictor.precision)
    telling = features_behind_logits(model) if known else nullcontext()
    try:
        with sped_up(model, enabled=predictor.fast_cpu), telling, torch.no_grad():
            expected = whole(*batch.values())
            _write_package(whole, tuple(batch.values()), folder)
        made = _with_model(predictor, folder)
        with features_behind_logits(made.loaded.model) if known else nullcontext():
            found = made.loaded.model(**batch).logits
    except Exception as error:  # what PyTorch raises here has no base class of its own
        log.debug("%s", error, exc_info=True)
        raise UserError(
            f"--engine compiled: PyTorch {torch.__version__} cannot compile a {kind!r} model "
            f"({str(error).strip().splitlines()[0]:.200}). Leave --engine out."
        ) from None
    if (found - expected).abs().max() > _FURTHEST * expected.abs().max():
        raise UserError(
            f"--engine compiled: a {kind!r} model computes otherwise when PyTorch "
            f"{torch.__version__} has compiled it. Leave --engine out."
        )
    return made


def _in_positions(model: PreTrainedModel, names: Sequence[str], precision: str) -> torch.nn.Module:
    """Let a model take inputs in an order, cast within, and return nothing but its logits."""
    import torch

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            # Within, so that it is part of what is compiled: weights are cast once and for all.
            with autocast("cpu", precision):
                logits: torch.Tensor = self.model(**dict(zip(names, inputs, strict=True))).logits
            return logits.float()

    return Logits()


def _write_package(model: torch.nn.Module, inputs: tuple[torch.Tensor, ...], folder: Path) -> None:
    """Compile a model for any number of windows and pieces.

    inputs: (windows, pieces) each
    """
    import torch
    from torch._inductor.utils import fresh_cache

    axes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    # What it makes on the way would lie in a folder that all users share.
    with quiet(), fresh_cache(dir=str(folder)):
        program = torch.export.export(
            model, inputs, dynamic_shapes=((axes,) * len(inputs),), strict=False
        )
        torch._inductor.aoti_compile_and_package(
            program, package_path=str(folder / _FILE), inductor_configs=_COMPILING
        )


def _example_batch(predictor: Predictor) -> dict[str, torch.Tensor]:
    """Return the inputs of a few windows, (windows, pieces) each."""
    task, loaded = predictor.task, predictor.loaded
    split = partial(split_words, rule="unicode")
    items = (Item(text, None, None, None, {}, {}) for text in _TEXTS)
    rows = [task.results.row(item, split) for item in items]
    windows = [window for own, _ in predictor.encode(rows) for window in own]
    batch = task.windows.collate(windows, loaded.tokenizer.pad_token_id)
    del batch["labels"]
    return batch


def _with_model(predictor: Predictor, folder: Path) -> Predictor:
    config = predictor.loaded.model.config
    try:
        model = CompiledModel(folder / _FILE, config)
    except RuntimeError as error:
        raise UserError(
            f"--engine compiled: {folder} cannot be loaded ({str(error).splitlines()[0]}). Delete "
            "it, and it is made anew."
        ) from None
    # Its precision is its own: nothing is to be cast around it.
    return replace(predictor, loaded=replace(predictor.loaded, model=model), precision="fp32")
