"""The flow behind `nlpt export`: a model in, its ONNX twin out, kept only if it predicts alike."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from nlp_transfer.data.tables import iterate
from nlp_transfer.errors import UserError
from nlp_transfer.files import whole_folder, write_json
from nlp_transfer.inference.onnx_model import FOLDER
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.inference.soup import check_whole
from nlp_transfer.onnx.export import (
    MIN_AGREEMENT,
    OPSET,
    check_options,
    describe,
    write_export,
)
from nlp_transfer.onnx.parity import check, compare
from nlp_transfer.recipe import Recipe
from nlp_transfer.tasks.splits import load_splits

log = logging.getLogger(__name__)
RECORD = "export.json"


def export(
    run: str | Path,
    *,
    recipe: Recipe[Any, Any],
    format: str = "onnx",
    quantize: str | None = None,
    opset: int = OPSET,
    output: str | Path | None = None,
    min_agreement: float | None = None,
    max_f1_drop: float = 0.003,
    scheme: str | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Export a model, and check on the test split that it predicts as before.

    run:           run folder, model folder or Hub id
    recipe:        whose data it is checked on; of the splits that it scores, the last
    quantize:      int8, or None for fp32
    opset:         version of ONNX: 18 is read by onnxruntime since 1.14, 23 (faster) since 1.23
    output:        a folder that does not exist yet; by default onnx/ in the run folder, where a
                   new export takes the place of an older one
    min_agreement: share of words or texts that must be predicted as before; by default 0.999 for
                   fp32 and 0.99 for int8
    max_f1_drop:   by how much F1 may fall, a fraction
    scheme:        tag scheme of a NER model that was trained elsewhere, kept in the export; None:
                   told from its labels
    returns:       the folder, and every figure of its export.json
    raises:        UserError when the model cannot be exported, or predicts otherwise afterwards;
                   nothing is left behind then
    """
    check_options(format, quantize, opset)
    target = _target(Path(run), output)
    split = recipe.evaluation.splits[-1]
    splits = load_splits(recipe, (split,))
    rows = splits[split]
    model = Predictor.from_run(run, engine="torch", setting="RUN", scheme=scheme)
    check_whole([model])
    model.check_fits(recipe.task, splits.labels)
    bound = MIN_AGREEMENT[quantize] if min_agreement is None else min_agreement
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(target, replace=True) as temporary:
        write_export(model, iterate(rows), temporary, quantize=quantize, opset=opset)
        exported = Predictor.from_run(temporary, engine="onnx")
        log.info("exported; now both predict the %s split, %s examples", split, f"{len(rows):,}")
        parity = {"split": split, **compare(model, exported, rows)}
        check(parity, min_agreement=bound, max_f1_drop=max_f1_drop)
        figures = {**describe(model, temporary, format=format, quantize=quantize), "parity": parity}
        write_json(temporary / RECORD, figures)
    return target, figures


def recipe_of(run: str) -> str:
    """Name the recipe that a run folder holds.

    raises: UserError when it holds none
    """
    if not Path(run, "recipe.yaml").is_file():
        raise UserError(
            f"--recipe: {run} holds no recipe.yaml. Name the recipe on whose test split the export "
            "is to be checked."
        )
    return run


def _target(run: Path, output: str | Path | None) -> Path:
    """Return the folder to export into, if nothing else is there."""
    folder = Path(output) if output else run / FOLDER
    if not output and not run.is_dir():
        raise UserError(f"--output: {run} is no folder on this machine. Name one for the export.")
    if folder.exists() and (output or not (folder / RECORD).is_file()):
        raise UserError(f"--output: {folder} exists already. Name a new folder.")
    return folder
