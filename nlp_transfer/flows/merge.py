"""Runs in, one whole model whose weights are their average out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nlp_transfer.errors import UserError
from nlp_transfer.logs import lines_shown
from nlp_transfer.manifest import verifiable_folder
from nlp_transfer.strategies.any_recipe import AnyRecipe


@lines_shown()
def merge(
    runs: Sequence[str | Path],
    output: str | Path,
    *,
    how: str = "uniform",
    weights: Sequence[float] | None = None,
    recipe: AnyRecipe | None = None,
) -> Path:
    """Average the weights of runs, or put an adapter into its base, and save a whole model.

    output:  a folder that does not exist yet
    how:     uniform, or greedy: only the runs that help on the validation split of `recipe`, on
             which the scores are calibrated anew; those of another mixture are not
    weights: the share of each run, adding up to 1, instead of equal ones
    raises:  UserError when runs differ in task, labels, architecture or tokenizer
    """
    from nlp_transfer.inference.predictor import Predictor
    from nlp_transfer.inference.soup import (
        check_way,
        check_whole,
        greedy_soup,
        recalibrate,
        soup,
        without_known,
    )
    from nlp_transfer.models.saved import save_model
    from nlp_transfer.tasks.splits import load_splits

    output = Path(output)
    if output.exists():
        raise UserError(f"--output: {output} exists already. Name a new folder.")
    check_way(how, weights, len(runs), scored=recipe is not None)
    models = [Predictor.from_run(run, engine="torch", setting="RUN") for run in runs]
    check_whole(models)
    if len(models) > 1:
        models = without_known(models)
    if recipe is None:
        merged = soup(models, weights)
    else:
        splits = load_splits(recipe, ("validation",))
        rows = splits["validation"]
        models[0].check_fits(recipe.task, splits.labels)
        score = recipe.task.scores.headline_figure
        merged = greedy_soup(models, lambda model: score(rows, model.predict_split(rows)[0]))
        recalibrate(merged, rows)
    output.parent.mkdir(parents=True, exist_ok=True)
    with verifiable_folder(output) as temporary:
        save_model(merged.loaded, temporary)
    return output
