"""A model in, its ONNX twin out, kept only if it predicts alike."""

from __future__ import annotations

import logging
from pathlib import Path

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.errors import UserError
from nlp_transfer.files import write_json
from nlp_transfer.flows.recipes import load_recipe
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.inference.soup import check_whole
from nlp_transfer.logs import lines_shown
from nlp_transfer.manifest import verifiable_folder
from nlp_transfer.onnx.export import MIN_AGREEMENT, OPSET, check_options, describe, write_export
from nlp_transfer.onnx.parity import check, compare
from nlp_transfer.onnx.record import RECORD, ExportRecord, export_folder
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.tasks.splits import load_splits

log = logging.getLogger(__name__)


@lines_shown()
def export(
    run: str | Path,
    *,
    recipe: AnyRecipe | None = None,
    format: str = "onnx",
    quantize: str | None = None,
    opset: int = OPSET,
    output: str | Path | None = None,
    min_agreement: float | None = None,
    max_f1_drop: float = 0.003,
    scheme: str | None = None,
) -> tuple[Path, ExportRecord]:
    """Export a model, and check on the test split that it predicts as before.

    run:           run folder, model folder or Hub id
    recipe:        whose data it is checked on; of the splits that it scores, the last; None: the
                   run's own
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
    if recipe is None:
        if not Path(run, "recipe.yaml").is_file():
            raise UserError(
                f"--recipe: {run} holds no recipe.yaml. Name the recipe on whose test split the "
                "export is to be checked."
            )
        recipe = load_recipe(str(run), trust_runs=False)
    check_options(format, quantize, opset)
    target = export_folder(run, output)
    split = recipe.evaluation.splits[-1]
    splits = load_splits(recipe, (split,))
    rows = splits[split]
    model = Predictor.from_run(run, engine="torch", setting="RUN", scheme=scheme)
    check_whole([model])
    model.check_fits(recipe.task, splits.labels)
    bound = MIN_AGREEMENT[quantize] if min_agreement is None else min_agreement
    target.parent.mkdir(parents=True, exist_ok=True)
    with verifiable_folder(target, replace=True) as temporary:
        write_export(model, iterate(rows), temporary, quantize=quantize, opset=opset)
        exported = Predictor.from_run(temporary, engine="onnx")
        log.info("exported; now both predict the %s split, %s examples", split, f"{len(rows):,}")
        parity = compare(model, exported, rows, split=split)
        check(parity, min_agreement=bound, max_f1_drop=max_f1_drop)
        record = describe(model, temporary, parity, format=format, quantize=quantize)
        write_json(temporary / RECORD, record.as_dict())
    return target, record
