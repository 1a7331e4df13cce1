"""Any model, or several as one, scored on a split of a recipe's data."""

from __future__ import annotations

import logging
from pathlib import Path

from nlp_transfer.errors import UserError
from nlp_transfer.logs import lines_shown
from nlp_transfer.records import SPLIT_NAMES
from nlp_transfer.report.report import Report
from nlp_transfer.strategies.any_recipe import AnyRecipe

log = logging.getLogger(__name__)


@lines_shown()
def evaluate(
    *models: str | Path,
    recipe: AnyRecipe,
    split: str = "test",
    engine: str = "auto",
    device: str = "auto",
    scheme: str | None = None,
) -> Report:
    """Score any model on a split of a recipe's data, or several by their mean probabilities.

    models: run folders, model folders or Hub ids
    engine: torch; onnx, for what `export` wrote; auto: onnx where there is nothing else
    device: auto, cpu, cuda, cuda:1, mps...
    scheme: tag scheme of a NER model that was trained elsewhere; None: told from its labels
    raises: UserError when a model is of another task, or knows none of the data's labels
    """
    log.info("%s: scores %s on the %s split", recipe.name, ", ".join(map(str, models)), split)
    from nlp_transfer.inference.ensemble import Ensemble
    from nlp_transfer.report.run_report import build_report, casing_notes
    from nlp_transfer.tasks.splits import check_lost, load_repeats, load_splits

    if split not in SPLIT_NAMES:
        raise UserError(f"--split: {split!r} is unknown ({', '.join(SPLIT_NAMES)}).")
    splits = load_splits(recipe, (split,))
    predictor = Ensemble.from_runs(
        models,
        precision=recipe.training.precision,
        engine=engine,
        device=device,
        scheme=scheme,
        fast_cpu=recipe.training.fast_cpu,
    )
    predictor.check_fits(recipe.task, splits.labels)
    rows = splits[split]
    predictions, ledger = predictor.predict_split(rows)
    ledger += recipe.task.rows.unseen(splits, split)
    check_lost(recipe, split, ledger)
    return build_report(
        recipe,
        splits,
        predictions={split: predictions},
        ledgers={split: ledger},
        repeats=load_repeats(recipe.task, splits, [split]),
        notes=casing_notes(recipe.task, predictor.loaded, rows),
    )
