"""The next job of a study that nobody has taken on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState

from nlp_transfer.studies.budget import within_time
from nlp_transfer.studies.journal import Propose, Trials
from nlp_transfer.studies.plan import Plan, Row, Run
from nlp_transfer.studies.space import distributions, parameters_of, settings_of, space_of
from nlp_transfer.studies.study import Study


def next_run(study: Study) -> Propose:
    """Propose the next run of a grid, or the next trial of a search."""

    def propose(journal: optuna.Study, trials: Trials) -> optuna.Trial | None:
        plan = study.plan
        if plan.trials:
            return _next_trial(study, plan, journal, trials)
        return next_of(plan.runs)(journal, trials)

    return propose


def next_of(runs: Iterable[Run]) -> Propose:
    """Propose the first of some runs that no trial is of."""

    def propose(journal: optuna.Study, trials: Trials) -> optuna.Trial | None:
        run = next((run for run in runs if run.name not in trials), None)
        return _queued(journal, run.name, run.row, [run.seed]) if run else None

    return propose


def _next_trial(
    study: Study, plan: Plan, journal: optuna.Study, trials: Trials
) -> optuna.Trial | None:
    """Propose the recipe, with what `auto` chose; then what Optuna makes of the trials so far."""
    number, seeds = len(trials), plan.seeds
    if number >= plan.trials:
        return None
    space = space_of(study.recipe)
    tried = distributions(space)
    if not number:
        known = parameters_of(study.recipe, space)
        first = Row("auto" if plan.auto else "recipe", plan.auto)
        return _queued(journal, first.name, first, seeds, known, tried)
    in_time = within_time(tried, study, trials)
    if in_time is None:
        return None
    # The same choice whoever makes it, and however often the search was broken off.
    seed = study.recipe.training.seed + number
    journal.sampler = optuna.samplers.TPESampler(
        n_startup_trials=5, constant_liar=True, seed=seed % 2**32
    )
    trial = journal.ask(dict(in_time))
    row = Row(f"trial-{number}", settings_of(trial.params, space))
    for name, value in _description(row.name, row, seeds).items():
        trial.set_user_attr(name, value)
    return trial


def _queued(
    journal: optuna.Study,
    job: str,
    row: Row,
    seeds: Sequence[int],
    known: Mapping[str, float | str] = {},
    space: Mapping[str, BaseDistribution] = {},
) -> optuna.Trial:
    """Put a job into the journal, and take it on."""
    waiting = optuna.trial.create_trial(
        state=TrialState.WAITING,
        params=dict(known),
        distributions={key: space[key] for key in known},
        user_attrs=_description(job, row, seeds),
    )
    journal.add_trial(waiting)
    return journal.ask()


def _description(job: str, row: Row, seeds: Sequence[int]) -> dict[str, object]:
    """Say what a job is; its name comes last, for without one it is none."""
    return {"row": row.name, "settings": dict(row.settings), "seeds": list(seeds), "job": job}


def runs_of(job: Mapping[str, Any]) -> list[Run]:
    """Return the runs of a job, as the journal describes it."""
    return [Run(Row(job["row"], job["settings"]), seed) for seed in job["seeds"]]
