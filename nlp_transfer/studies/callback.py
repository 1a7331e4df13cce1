"""What the training of a run tells the study it belongs to."""

from __future__ import annotations

import math

import optuna
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from nlp_transfer.studies.journal import Claim


class StudyCallback(TrainerCallback):
    """Reports evaluations to the journal, and stops a run that is not to go on."""

    def __init__(self, claim: Claim, *, reports: bool, prunes: bool) -> None:
        """reports, prunes: whether evaluations are told; and given up upon."""
        self._claim = claim
        self._reports = reports
        self._prunes = prunes

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Stop where another worker has taken the run, which would write to the same folder."""
        self._claim.check()

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        """Report the score after so many epochs; where Hyperband says so, give the run up.

        raises: optuna.TrialPruned
        """
        if not self._reports or metrics is None:
            return
        trial, epoch = self._claim.trial, math.ceil(state.epoch or 0)
        if epoch not in self._claim.reported:
            trial.report(metrics["eval_score"], epoch)
        if self._prunes and state.global_step < state.max_steps and trial.should_prune():
            raise optuna.TrialPruned(f"pruned at epoch {epoch}")
