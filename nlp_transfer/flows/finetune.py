"""READ FIRST: all that a run does, from a recipe to a report.

choose -> check -> load -> add rows -> build -> choose weights -> encode
       -> fit -> finish -> calibrate -> predict -> score -> write

What a recipe leaves to `auto` is chosen first. Before its run it may have other rounds, which are
runs of their own; with it other tasks may learn, by the same encoder. `planned` finds all three.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.flows.report import read_report
from nlp_transfer.logs import lines_shown
from nlp_transfer.processes.sharing import readable
from nlp_transfer.recipe.reader import check_paths, located
from nlp_transfer.report.report import Report
from nlp_transfer.runs.disk import noticing_full_disk
from nlp_transfer.runs.group import held_by_all
from nlp_transfer.runs.interrupts import explaining_interrupt
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.runs.starting import announce, begin, show_again
from nlp_transfer.strategies.context import TransferRecipe
from nlp_transfer.strategies.plan import Plan

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from nlp_transfer.training.fitting import Learning

log = logging.getLogger(__name__)


@lines_shown()
def finetune(
    recipe: TransferRecipe,
    *,
    output: str | Path | None = None,
    fresh: bool = False,
    push_to_hub: str | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> Report:
    """Fine-tune a checkpoint as the recipe says, and report on it.

    output:      the run folder, by default runs/<recipe name>; an unfinished run in it goes on, a
                 finished one is reported again
    fresh:       delete the run in the folder and start over
    push_to_hub: publish the finished run under this repository name
    callbacks:   watch the training, and may stop it; `eval_score` of an evaluation's metrics is
                 the headline figure of the validation split
    returns:     every figure of metrics.json
    raises:      UserError for any mistake in the recipe, the data or the folder
    """
    folder = RunFolder.of(recipe.name, output)
    announce("fine-tunes", recipe, folder)  # before the imports below, which take seconds
    from nlp_transfer.flows.publish import publish_model
    from nlp_transfer.publish.destination import check_repo
    from nlp_transfer.training.choosing import planned
    from nlp_transfer.training.examples import read_again
    from nlp_transfer.training.fitting import Learning

    check_repo(push_to_hub)
    with held_by_all(folder, recipe, fresh=fresh) as (folder, watching):
        plan = planned(located(recipe), folder.facts(fresh=fresh))
        recipe = plan.recipe  # which says all itself
        learning = Learning.of(plan, folder.checkpoints, (*callbacks, *watching))
        if folder.check(recipe, fresh=fresh) == "finished":
            show_again(folder, partial(read_again, plan))  # refused where the data is another now
        else:
            check_paths(recipe)
            with learning.trackers:  # closed whatever happens
                _run(plan, folder, learning, fresh=fresh)
        report = read_report(folder.path)
    if push_to_hub:
        publish_model(folder.path, push_to_hub)
    return report


def _run(plan: Plan, folder: RunFolder, learning: Learning, *, fresh: bool) -> None:
    """Train what is planned, and write all of the run folder.

    What is plural has one item a task, the recipe's own first:

    tasks:       their examples as rows; strategies may add some to the training split
    models:      of the checkpoint, with a new head each and one encoder in common
    learner:     the model that learns for all of them, with the adapters of strategies
    windows:     the tasks as the model reads them, cut into windows of pieces
    fitted:      the learner with the weights of its best evaluation
    finished:    what the strategies keep of it (merged, averaged...), a model a task again,
                 whose scores are to come true: calibrated on validation
    predictions: of every split that the recipe scores
    """
    from nlp_transfer.publish.card import card_text
    from nlp_transfer.publish.provenance import Provenance
    from nlp_transfer.report.run_files import write_results
    from nlp_transfer.report.run_report import score
    from nlp_transfer.runs.saving import save_adapter, save_models
    from nlp_transfer.training.building import build, choose_weights
    from nlp_transfer.training.examples import add_rows, encode, load
    from nlp_transfer.training.fitting import calibrate, finish, fit, predict

    with explaining_interrupt(folder, begun=False, fresh=fresh):
        if plan.earlier:  # whose model teaches this one
            log.info("first the round before this one")
            finetune(plan.earlier, output=folder.earlier_round, fresh=fresh)
        tasks = add_rows(load(plan, readable(folder.earlier_round)))
        models = build(tasks)
        learner = choose_weights(tasks, models)
        windows = encode(tasks, models)
        begin(folder, plan.recipe, windows, learner, learning.args, fresh=fresh)  # to resume by
    with explaining_interrupt(folder, begun=True, fresh=fresh), noticing_full_disk(folder.path):
        fitted = fit(windows, learner, learning, resume_from=folder.checkpoint_for_all())
        save_adapter(folder, fitted)  # where there is one, apart from the checkpoint's weights
        finished = calibrate(windows, finish(windows, fitted))
        save_models(folder, windows, finished.models)
        predictions = predict(windows, finished)
        report = score(windows, predictions, finished.figures, before=folder.earlier_round)
        card = card_text(plan.recipe, report, tasks[0].splits.labels, Provenance.read(folder))
        write_results(folder, windows, predictions, report, card=card)  # metrics.json: finished
        learning.trackers.log(report.named_figures)
