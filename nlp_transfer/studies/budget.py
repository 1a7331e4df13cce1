"""Trials that have ended and the time that is left in, what of a search still fits into it out."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from nlp_transfer.studies.journal import Trials
from nlp_transfer.studies.space import choices_of
from nlp_transfer.studies.study import Study


class TimeOverError(Exception):
    """The time of a search has ended in the middle of a run."""


EPOCHS = "training.epochs"
Distributions = Mapping[str, BaseDistribution]


def within_time(space: Distributions, study: Study, trials: Trials) -> Distributions | None:
    """Leave of what is tried what is expected to end in time; None: nothing is.

    A trial takes as long as those before it did for each of its epochs, which is known once one is
    finished.
    """
    own = study.recipe.training.epochs
    finished = [one for one in trials.values() if one.state == TrialState.COMPLETE]
    if not finished or study.until == math.inf:
        return space
    left = study.until - time.monotonic()
    ended = [_seconds(one) for one in finished if "ended_at_epoch" in one.user_attrs]
    if ended and statistics.median(ended) <= left:  # which training.max_minutes would end too
        return space
    an_epoch = statistics.median(_seconds_an_epoch(one, own) for one in finished)
    fit = left / an_epoch
    tried = space.get(EPOCHS)
    if isinstance(tried, IntDistribution) and tried.low <= fit:
        shorter: BaseDistribution = IntDistribution(tried.low, min(tried.high, int(fit)), tried.log)
        return {**space, EPOCHS: shorter}
    if isinstance(tried, FloatDistribution) and tried.low <= fit:
        return {**space, EPOCHS: FloatDistribution(tried.low, min(tried.high, fit), tried.log)}
    if isinstance(tried, CategoricalDistribution):  # Optuna takes no fewer choices than before
        own = max(float(str(choice)) for choice in choices_of(tried))
    is_range = isinstance(tried, IntDistribution | FloatDistribution)
    return None if is_range or own > fit else space


def _seconds_an_epoch(trial: FrozenTrial, own: float) -> float:
    """Divide all that a trial took, data and scores included, by its epochs."""
    facts = trial.user_attrs
    ended = facts.get("stopped_at_epoch") or facts.get("ended_at_epoch")
    epochs = ended or facts["settings"].get(EPOCHS, own)
    return _seconds(trial) / float(epochs)


def _seconds(trial: FrozenTrial) -> float:
    assert trial.duration is not None
    return max(trial.duration.total_seconds(), 1e-3)
