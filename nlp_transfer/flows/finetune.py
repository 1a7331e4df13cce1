"""READ FIRST: all that a run does, from a recipe to a report.

check -> load -> add rows -> build -> encode -> fit -> finish -> predict -> score -> write
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.flows.report import read_report
from nlp_transfer.logs import lines_shown
from nlp_transfer.recipe.reader import located
from nlp_transfer.report.report import Report
from nlp_transfer.runs.disk import noticing_full_disk
from nlp_transfer.runs.interrupts import explaining_interrupt
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.runs.starting import announce, begin, show_again
from nlp_transfer.strategies.context import TransferRecipe
from nlp_transfer.strategies.plan import Plan, plan_of

if TYPE_CHECKING:
    from transformers import TrainingArguments

log = logging.getLogger(__name__)


@lines_shown()
def finetune(
    recipe: TransferRecipe,
    *,
    output: str | Path | None = None,
    fresh: bool = False,
    push_to_hub: str | None = None,
) -> Report:
    """Fine-tune a checkpoint as the recipe says, and report on it.

    output:      the run folder, by default runs/<recipe name>; an unfinished run in it goes on, a
                 finished one is reported again
    fresh:       delete the run in the folder and start over
    push_to_hub: publish the finished run under this repository name
    returns:     every figure of metrics.json
    raises:      UserError for any mistake in the recipe, the data or the folder
    """
    recipe = located(recipe)
    folder = RunFolder.of(recipe.name, output)
    announce("fine-tunes", recipe, folder)  # what is imported from here on takes seconds
    from nlp_transfer.flows.publish import publish_model
    from nlp_transfer.publish.push import check_repo
    from nlp_transfer.training.arguments import training_arguments
    from nlp_transfer.training.examples import read_again

    if push_to_hub:
        check_repo(push_to_hub)
    args = training_arguments(recipe.training, folder.checkpoints, strategies=recipe.strategies)
    plan = plan_of(recipe)  # the round before this one, and all tasks that learn together
    if folder.check(recipe, fresh=fresh) == "finished":
        show_again(folder, partial(read_again, plan))
    else:
        _run(located(recipe, paths_exist=True), plan, folder, args, fresh=fresh)
    if push_to_hub:
        publish_model(folder.path, push_to_hub)
    return read_report(folder.path)


def _run(
    recipe: TransferRecipe, plan: Plan, folder: RunFolder, args: TrainingArguments, *, fresh: bool
) -> None:
    """Go all the way; what `tasks`, `models`... list is one a task, the recipe's own first."""
    from nlp_transfer.publish.card import card_text
    from nlp_transfer.report.build import run_report
    from nlp_transfer.report.writing import write_results
    from nlp_transfer.runs.writing import write_adapter, write_models
    from nlp_transfer.training.building import build, choose_weights
    from nlp_transfer.training.examples import add_rows, encode, load
    from nlp_transfer.training.fitting import finish, fit, predict

    with explaining_interrupt(folder, begun=False, fresh=fresh):
        if plan.earlier:
            log.info("the round before first")
            finetune(plan.earlier, output=folder.earlier_round, fresh=fresh)
        tasks = add_rows(load(plan, folder.earlier_round))
        models = build(tasks)
        learner = choose_weights(tasks, models)
        windows = encode(tasks, models)
        begin(folder, recipe, windows, learner, fresh=fresh)
    with explaining_interrupt(folder, begun=True, fresh=fresh), noticing_full_disk(folder.path):
        resumed = folder.last_checkpoint()
        fitted = fit(windows, learner, args, temperature=plan.temperature, resumed=resumed)
        write_adapter(folder, fitted)
        finished = finish(windows, fitted)
        write_models(folder, tasks, finished.models)
        predictions = predict(windows, finished)
        report = run_report(windows, predictions, finished.figures)
        card = card_text(recipe, report, tasks[0].splits.labels)
        write_results(folder, windows, predictions, report, card=card)
