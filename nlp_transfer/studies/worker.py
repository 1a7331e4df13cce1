"""One process that takes part in a study: it does what nobody else does, until all is done."""

from __future__ import annotations

import gc
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import optuna

from nlp_transfer import files
from nlp_transfer.errors import UserError
from nlp_transfer.report.report import Report
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.studies.budget import TimeOverError
from nlp_transfer.studies.journal import Claim, ClaimLostError, Journal, Propose, is_left, is_open
from nlp_transfer.studies.plan import Run
from nlp_transfer.studies.proposals import next_of, next_run, runs_of
from nlp_transfer.studies.results import headline_of
from nlp_transfer.studies.study import Study

if TYPE_CHECKING:
    from transformers import TrainerCallback

log = logging.getLogger(__name__)

PAUSE = 2.0
"""Seconds after which a worker without work looks again."""


class Train(Protocol):
    """Trains a recipe in a run folder, as `flows.finetune` does."""

    def __call__(
        self, recipe: AnyRecipe, *, output: Path, callbacks: Sequence[TrainerCallback]
    ) -> Report: ...


class Evaluate(Protocol):
    """Scores a model on a split, as `flows.evaluate` does."""

    def __call__(self, model: Path, /, *, recipe: AnyRecipe, split: str) -> Report: ...


@dataclass(frozen=True)
class Flows:
    """What a study lets other flows do."""

    train: Train
    evaluate: Evaluate


def work(study: Study, flows: Flows, *, after_each: Callable[[], None]) -> None:
    """Do all runs of a study that no other worker does, one after the other.

    after_each: is called when a run has ended
    """
    trained = _Loop(study.runs, lambda claim: _train(study, flows.train, claim), after_each)
    if study.plan.trials and all(map(is_left, study.runs.trials().values())):
        trained.take_on(next_run(study))  # there is a model, whatever the time
    is_done = trained.go_on(next_run(study), until=study.until)
    if study.plan.trials and len(study.runs.trials()) < study.plan.trials:
        log.info("--minutes are over: no further trial fits into them")
    elif not is_done:
        log.info("--minutes are over: no further run is begun")


def score_tests(study: Study, flows: Flows, chosen: Sequence[Run]) -> None:
    """Score the models of finished runs on the test split, each once."""

    def score(claim: Claim) -> None:
        for run in runs_of(claim.attributes):
            log.info("%s: scored on the test split, once", run.name)
            recipe, folder = study.recipe_of(run), study.folder.run(run)
            report = flows.evaluate(folder.path, recipe=recipe, split="test")
            study.folder.write_test(run, report)
            claim.complete(headline_of(report, "test"))

    _Loop(study.tests, score, lambda: None).go_on(next_of(chosen))


def _train(study: Study, train: Train, claim: Claim) -> None:
    """Train the runs of a job: one of a grid, or one a seed of a search's trial."""
    from nlp_transfer.studies.callback import StudyCallback

    plan = study.plan
    is_search = bool(plan.trials)
    number = list(study.runs.trials()).index(claim.attributes["job"]) + 1
    values: list[float] = []
    for run in runs_of(claim.attributes):
        of_all = "" if plan.is_open_ended else f" of {study.planned}"
        log.info("%d%s: %s", number, of_all, run.name)
        # Only what is tried is given up early, and by its first seed. A search that has the time
        # for no whole run at least knows what the first one has come to.
        callback = StudyCallback(
            claim,
            reports=not values,
            prunes=is_search and number > 1 and not values,
            until=study.until if is_search else math.inf,
            is_kept=number == 1 and len(claim.attributes["seeds"]) == 1,
        )
        recipe, folder = study.recipe_of(run), study.folder.run(run)
        gc.collect()  # the model of the run before lies in cycles, and would count to this one
        try:
            report = train(recipe, output=folder.path, callbacks=[callback])
        except optuna.TrialPruned:
            folder.remove_checkpoints()
            raise
        training = report.training or {}
        if "ended_by" in training:
            claim.stopped(float(training["epochs"] or 0), by="recipe")
        values.append(headline_of(report, "validation"))
    claim.complete(sum(values) / len(values))


@dataclass(frozen=True)
class _Loop:
    """Takes on jobs of a journal, one after the other."""

    journal: Journal
    do: Callable[[Claim], None]
    after_each: Callable[[], None]

    def go_on(self, propose: Propose, *, until: float = float("inf")) -> bool:
        """Do what there is to do, and wait for what others do: they may die of it.

        returns: whether all is done; else the time is over
        """
        is_waiting = False
        while time.monotonic() < until:
            if self.take_on(propose):
                is_waiting = False
            elif not is_open(self.journal.trials()):
                return True
            else:
                if not is_waiting:
                    log.info("waiting for what other workers are at")
                is_waiting = True
                time.sleep(PAUSE)
        return False

    def take_on(self, propose: Propose) -> bool:
        """Do one job, if there is one to take on."""
        claim = self.journal.claim(propose)
        if claim is None:
            return False
        with claim:
            self._try(claim)
        self.after_each()
        return True

    def _try(self, claim: Claim) -> None:
        """Do a job; that it cannot be done is noted, and stops no others."""
        name = claim.attributes["job"]
        try:
            self.do(claim)
        except optuna.TrialPruned as pruned:
            log.info("%s: %s", name, pruned)
            claim.prune()
        except TimeOverError:
            log.info("%s: --minutes are over; the same command goes on with it", name)
        except ClaimLostError:
            log.warning("%s: given up, for another worker has taken it on", name)
        except UserError as error:
            log.error("%s has failed: %s", name, error)
            claim.fail(str(error))
        except Exception as error:
            if isinstance(error, OSError) and error.errno in files.NO_SPACE:
                raise
            log.exception("%s has failed", name)
            claim.fail(f"{type(error).__name__}: {error}")
