"""A run of two steps, by the way of finetune.py: what the whole would take, and nothing kept."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.logs import lines_shown
from nlp_transfer.recipe.reader import check_paths
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.runs.starting import announce
from nlp_transfer.strategies.any_recipe import AnyRecipe

if TYPE_CHECKING:
    from nlp_transfer.runs.estimate import Estimate

log = logging.getLogger(__name__)


@lines_shown()
def dry_run(recipe: AnyRecipe, *, output: str | Path | None = None) -> Estimate:
    """Check everything a run needs, run two steps, and estimate time, memory and disk.

    output:  the run folder that would be used
    returns: what it would take; nothing is written
    """
    folder = RunFolder.of(recipe.name, output)
    announce("tries two steps of", recipe, folder)
    from nlp_transfer.runs.estimate import STEPS, StepClock, estimate
    from nlp_transfer.training.arguments import training_arguments
    from nlp_transfer.training.building import build, choose_weights
    from nlp_transfer.training.choosing import planned
    from nlp_transfer.training.examples import add_rows, encode, load
    from nlp_transfer.training.fitting import Learning, fit

    plan = planned(check_paths(recipe), folder.facts())
    training, strategies = plan.recipe.training, plan.recipe.strategies
    training_arguments(training, folder.checkpoints, strategies=strategies)
    folder.check(plan.recipe)
    for earlier in plan.rounds_before():  # what they take comes on top of the estimate
        log.info("the round before is not estimated; its data is checked")
        add_rows(load(earlier))
    tasks = add_rows(load(plan))
    models = build(tasks)
    loaded = choose_weights(tasks, models)
    encoded = encode(tasks, models)
    clock = StepClock()
    with tempfile.TemporaryDirectory() as temporary:
        args = training_arguments(training, Path(temporary), steps=STEPS, strategies=strategies)
        args.report_to = []  # two steps are no experiment
        fitted = fit(encoded, loaded, Learning(args, plan.temperature, [clock]))
    return estimate(encoded, fitted, clock, folder)
