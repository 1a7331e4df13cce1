"""A folder and what a user asks for in, the study in it out: begun, joined or added to."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import replace

from nlp_transfer.doctor.finding import counted
from nlp_transfer.errors import Interrupted, UserError
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.studies.asked import Asked
from nlp_transfer.studies.first_trial import chosen_for, with_auto
from nlp_transfer.studies.folder import StudyFolder
from nlp_transfer.studies.journal import count_ended
from nlp_transfer.studies.plan import Plan
from nlp_transfer.studies.proposals import runs_of
from nlp_transfer.studies.sizes import check_sizes
from nlp_transfer.studies.space import check_space
from nlp_transfer.studies.study import Study

log = logging.getLogger(__name__)

_FOR_TESTING = (0.1, 60.0)
"""Share of the minutes of a search that is left for scores at its end, but no more than seconds."""


def open_study(
    folder: StudyFolder,
    recipe: AnyRecipe,
    asked: Asked,
    *,
    minutes: float | None = None,
    fresh: bool = False,
    retry: bool = False,
) -> Study:
    """Begin a study in a folder, join the one that is there, or add to it.

    minutes: after which no run is begun; a search ends by then
    fresh:   delete the study that is there
    retry:   let runs that have failed, or whose folders are gone, be done again
    raises:  UserError for a folder of another study, and for what cannot be run
    """
    start = time.monotonic()
    asked.check()
    if minutes is not None and not minutes > 0:  # NaN neither
        raise UserError(f"--minutes: {minutes:g} must be above 0.")
    if not fresh:
        folder.check(recipe)
    wanted = asked.plan(recipe, None if fresh else folder.plan())
    if asked.train_sizes:
        check_sizes(wanted, recipe)
    if wanted.is_open_ended and minutes is None:
        raise UserError(
            "A search without a number of trials goes on as long as --minutes say: --search "
            "--minutes 30. In a new folder --search N ends after N trials."
        )
    if wanted.trials and not wanted.auto:
        wanted = replace(wanted, auto=chosen_for(recipe))
    settled = with_auto(recipe, wanted.auto)
    if wanted.trials:
        check_space(settled)
    if fresh:  # only now that all is well
        folder.clear()
        folder.check(recipe)
    folder.path.mkdir(parents=True, exist_ok=True)
    study = Study.open(folder, settled, until=start + _seconds(minutes, wanted))
    with study.runs.locked():  # others may have begun or added to it meanwhile
        folder.check(recipe)
        plan = asked.plan(recipe, folder.plan())
        plan = replace(plan, auto=plan.auto or wanted.auto)
        folder.write_plan(recipe, plan)
    if retry:
        study.runs.retry(lambda trial: not all(map(folder.finished, runs_of(trial.user_attrs))))
        study.tests.retry(lambda trial: not all(map(folder.tested, runs_of(trial.user_attrs))))
    log.info("%s: a study of %s, in %s", recipe.name, _described(plan), folder.path)
    return study


def _seconds(minutes: float | None, plan: Plan) -> float:
    """Return how long runs may be begun; what follows a search has its part of the minutes."""
    if minutes is None:
        return math.inf
    share, most = _FOR_TESTING
    return 60 * minutes - (min(60 * minutes * share, most) if plan.trials else 0)


def _described(plan: Plan) -> str:
    many = counted(plan.trials, "trial") if plan.trials else counted(len(plan.rows), "row")
    if plan.is_open_ended:
        many = "as many trials as the minutes allow"
    return f"{many} with {counted(len(plan.seeds), 'seed')} each"


@contextlib.contextmanager
def explaining_interrupt(study: Study) -> Iterator[None]:
    """Say, after Ctrl-C, how the study goes on."""
    try:
        yield
    except KeyboardInterrupt:  # what the run says of itself is of `nlpt finetune`
        done = count_ended(study.runs.trials())
        raise Interrupted(
            f"interrupted: {done} of {study.planned} runs of the study are done; the same command "
            "goes on, with the run that was broken off from its last checkpoint. In another "
            f"terminal, or on another machine that has {study.folder.path}, it shares the work."
        ) from None
