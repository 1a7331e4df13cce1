"""A run in little, by the way of finetune.py: what the whole would take, and nothing kept."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nlp_transfer.logs import lines_shown, quiet
from nlp_transfer.recipe.reader import check_paths
from nlp_transfer.runs.gpu_model import Gpus
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.runs.starting import announce
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.strategies.plan import Plan

if TYPE_CHECKING:
    from nlp_transfer.runs.estimate import Ending, Estimate
    from nlp_transfer.training.fitting import Fitted
    from nlp_transfer.training.rehearsal import Little

log = logging.getLogger(__name__)

_Made = TypeVar("_Made")


@lines_shown()
def dry_run(
    recipe: AnyRecipe, *, output: str | Path | None = None, gpus: str | None = None
) -> Estimate:
    """Check everything a run needs, do all of it in little, and estimate time, memory and disk.

    8 to 24 steps are taken, or as many as the run has, the largest batches first, and at most 500
    examples of a split are evaluated; beyond loading and encoding the data that takes as long as 8
    steps, or half a minute.

    output:  the run folder that would be used
    gpus:    say too what the run would take on so many, by the model of runs/gpu_model.py: "8", or
             with its assumptions, "8,tflops=989"
    returns: what it would take; nothing is kept of what was written
    """
    start, asked = time.monotonic(), None if gpus is None else Gpus.read(gpus)
    folder = RunFolder.of(recipe.name, output)
    announce("tries a few steps of", recipe, folder)
    from nlp_transfer.training.arguments import training_arguments
    from nlp_transfer.training.choosing import planned

    plan = planned(check_paths(recipe), folder.facts())
    training, strategies = plan.recipe.training, plan.recipe.strategies
    training_arguments(training, folder.checkpoints, strategies=strategies)
    folder.check(plan.recipe)
    planning = time.monotonic() - start
    before = []
    for earlier in plan.rounds_before():
        log.info("the round before:")
        before.append(_rehearse(earlier, folder))
    return _rehearse(plan, folder, planning=planning, before=before, gpus=asked)


def _rehearse(
    plan: Plan,
    folder: RunFolder,
    *,
    planning: float = 0.0,
    before: Sequence[Estimate] = (),
    gpus: Gpus | None = None,
) -> Estimate:
    """Do all of one round in little, in a folder that is deleted.

    planning: seconds that it took to plan it
    before:   of the rounds before
    """
    from nlp_transfer.runs.estimate import estimate
    from nlp_transfer.training.arguments import training_arguments
    from nlp_transfer.training.building import build, choose_weights
    from nlp_transfer.training.examples import add_rows, encode, load
    from nlp_transfer.training.fitting import Learning, fit
    from nlp_transfer.training.memory import PeakMemory
    from nlp_transfer.training.rehearsal import MOST_STEPS, StepClock, in_little

    memory, began = PeakMemory(), time.monotonic() - planning
    training, strategies = plan.recipe.training, plan.recipe.strategies
    tasks = add_rows(load(plan))
    models = build(tasks)
    learner = choose_weights(tasks, models)
    windows = encode(tasks, models)
    prepare = time.monotonic() - began
    little = [in_little(task) for task in windows]
    run = training_arguments(training, folder.checkpoints, strategies=strategies)
    clock = StepClock(run, counts_flops=gpus is not None)
    existing = next(p for p in (folder.path, *folder.path.absolute().parents) if p.is_dir())
    with tempfile.TemporaryDirectory(prefix=".nlpt-dry-run-", dir=existing) as temporary:
        place = RunFolder(Path(temporary))
        args = training_arguments(
            training, place.checkpoints, steps=MOST_STEPS, strategies=strategies
        )
        args.report_to = []  # a few steps are no experiment
        learning = Learning(args, plan.temperature, [clock], memory)
        fitted = fit([one.task for one in little], learner, learning)
        with quiet():  # a model that has learned nothing has much to be warned of
            ending = _end(plan, place, little, fitted)
    return estimate(
        windows, fitted, clock, ending, prepare=prepare, folder=folder, before=before, gpus=gpus
    )


def _end(plan: Plan, place: RunFolder, little: Sequence[Little], fitted: Fitted) -> Ending:
    """Do what comes after the steps, and take the time of each part."""
    from nlp_transfer.publish.card import card_text
    from nlp_transfer.report.run_files import write_results
    from nlp_transfer.report.run_report import score
    from nlp_transfer.runs.estimate import Ending
    from nlp_transfer.runs.saving import save_adapter, save_models
    from nlp_transfer.training.fitting import calibrate, finish, predict
    from nlp_transfer.training.rehearsal import keep_as_many, times_scored

    tasks, trainer = [one.task for one in little], fitted.trainer
    has_learned = trainer.state.global_step > 0
    metrics, evaluating = _timed(trainer.evaluate)
    keep_as_many(tasks[0].recipe, trainer, metrics)
    _, saving = _timed(trainer.save_now) if has_learned else (None, 0.0)
    _, adapting = _timed(lambda: save_adapter(place, fitted))
    finished, finishing = _timed(lambda: calibrate(tasks, finish(tasks, fitted)))
    predictions, predicting = _timed(lambda: predict(tasks, finished))

    def write() -> None:
        save_models(place, tasks, finished.models)
        report = score(tasks, predictions, finished.figures, before=place.earlier_round)
        card = card_text(plan.recipe, report, tasks[0].splits.labels)
        write_results(place, tasks, predictions, report, card=card)

    _, writing = _timed(write)
    validation = little[0].times["validation"]
    return Ending(
        evaluation=evaluating * validation,
        save=saving,
        finish=finishing * validation,
        predict=predicting * times_scored(little),
        report=adapting + writing,
    )


def _timed(do: Callable[[], _Made]) -> tuple[_Made, float]:
    start = time.monotonic()
    made = do()
    return made, time.monotonic() - start
