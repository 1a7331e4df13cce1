"""A model in, which engine computes it fastest on this machine out, kept for `--engine auto`.

load the model -> take examples -> start each engine -> let all predict in turns -> keep the result
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from nlp_transfer.engines.settings import Given, Settings, names_in
from nlp_transfer.errors import UserError
from nlp_transfer.flows.recipes import load_recipe
from nlp_transfer.logs import lines_shown
from nlp_transfer.processes import world_size
from nlp_transfer.strategies.any_recipe import AnyRecipe

if TYPE_CHECKING:
    from nlp_transfer.engines.outcome import Outcome

log = logging.getLogger(__name__)


@lines_shown()
def bench(
    run: str | Path,
    *,
    recipe: AnyRecipe | None = None,
    texts: str | Path | None = None,
    engines: str = "",
    device: str = "auto",
    **settings: Unpack[Given],
) -> Outcome:
    """Measure how fast each engine predicts here and how alike it answers; keep it for `auto`.

    run:      run folder, model folder or Hub id
    recipe:   whose data is predicted; of the splits that it scores, the last; None: the run's own
    texts:    a file of texts to predict instead
    engines:  torch-fp32, torch-bf16, compiled, onnx-fp32, onnx-int8: some, with commas; "": all
    device:   that PyTorch computes on
    settings: batches, rounds, examples, timed, clock, as `engines.settings` has them
    returns:  every figure
    raises:   UserError for what is no model, or has nothing to be measured on
    """
    chosen, names = Settings.of(**settings), names_in(engines)
    _check_alone()
    from nlp_transfer.inference.onnx_model import find_model

    find_model(str(run), "torch", "RUN")
    if recipe is None and texts is None:
        recipe = _recipe_of(run)
    from nlp_transfer.engines.candidates import candidates
    from nlp_transfer.engines.examples import examples_of
    from nlp_transfer.engines.measuring import measure
    from nlp_transfer.inference.predictor import Predictor

    model = Predictor.from_run(run, engine="torch", precision="fp32", device=device, setting="RUN")
    examples = examples_of(recipe if texts is None else Path(texts), model, chosen.examples)
    with tempfile.TemporaryDirectory() as scratch:
        listed = candidates(str(run), model, examples, Path(scratch))
        outcome = measure(model, examples, [one for one in listed if one.name in names], chosen)
    _keep(outcome)
    return outcome


def _keep(outcome: Outcome) -> None:
    from nlp_transfer.inference.found_engines import keep

    try:
        file = keep(outcome.findings(), Path(outcome.model))
    except OSError as error:
        log.warning("--engine auto will not know of it: %s cannot be written (%s)",
                    error.filename, error.strerror)  # fmt: skip
    else:
        log.info("kept for --engine auto: %s", file)


def _recipe_of(run: str | Path) -> AnyRecipe:
    if not Path(run, "recipe.yaml").is_file():
        raise UserError(
            f"--recipe: {run} holds no recipe.yaml. Name the recipe whose test split is to be "
            "predicted, or a file of texts (--texts)."
        )
    return load_recipe(str(run), trust_runs=False)


def _check_alone() -> None:
    if world_size() > 1:
        raise UserError("nlpt bench measures one process. Start it without a launcher.")
