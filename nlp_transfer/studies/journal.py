"""What is run by whom: every run is a trial in Optuna's journal, taken by one worker at a time."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from nlp_transfer.errors import UserError
from nlp_transfer.processes.identity import BEAT, ProcessId
from nlp_transfer.studies.liveness import Watch

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=ExperimentalWarning)

JobKind = Literal["runs", "tests"]
Trials = Mapping[str, FrozenTrial]
"""The last trial of each job, by its name."""
Propose = Callable[[optuna.Study, Trials], "optuna.Trial | None"]
"""Takes on the next job that no trial is of; None: there is none."""


class ClaimLostError(Exception):
    """Others have taken this worker for dead, and its run upon themselves."""


class Claim:
    """A job that this worker has taken on; a context, within which it shows that it lives."""

    def __init__(self, study: optuna.Study, trial: optuna.Trial) -> None:
        self.trial = trial
        self._study = study
        self._lost = threading.Event()
        self._done = threading.Event()
        self._beats = threading.Thread(target=self._show_life, daemon=True)

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What the job is."""
        return self.trial.user_attrs

    @property
    def reported(self) -> Collection[int]:
        """Epochs that a score was reported of, before the run was broken off too."""
        trials = self._study.get_trials(deepcopy=False)
        return trials[self.trial.number].intermediate_values.keys()

    def check(self) -> None:
        """Go on only as long as nobody else has taken the job.

        raises: ClaimLostError
        """
        if self._lost.is_set():
            raise ClaimLostError

    def stopped(self, epoch: float, *, by: Literal["search", "recipe"] = "search") -> None:
        """Note that the time of the search, or of each run, did not last for more epochs."""
        name = "stopped_at_epoch" if by == "search" else "ended_at_epoch"
        self.trial.set_user_attr(name, round(epoch, 2))

    def complete(self, value: float) -> None:
        """Say that the job is done."""
        self._tell(value=value)

    def prune(self) -> None:
        """Say that the job was given up: others are better."""
        self._tell(state=TrialState.PRUNED)

    def fail(self, problem: str) -> None:
        """Say that the job cannot be done, and why."""
        with contextlib.suppress(UpdateFinishedTrialError):
            self.trial.set_user_attr("problem", problem)
        self._tell(state=TrialState.FAIL)

    def _tell(self, *, value: float | None = None, state: TrialState | None = None) -> None:
        self._stop_beats()
        with contextlib.suppress(UpdateFinishedTrialError):  # another worker has taken it
            self._study.tell(self.trial.number, value, state=state, skip_if_finished=True)

    def __enter__(self) -> Claim:
        self._beats.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give back a job that is neither done nor failed: others may take it on at once."""
        self._tell(state=TrialState.FAIL)

    def _stop_beats(self) -> None:
        self._done.set()
        self._beats.join()

    def _show_life(self) -> None:
        beat = 0
        while not self._done.wait(BEAT):
            beat += 1
            try:
                self.trial.set_user_attr("beat", beat)
            except UpdateFinishedTrialError:
                self._lost.set()
                return
            except OSError:  # a shared file system that does not answer; it may the next time
                continue


class Journal:
    """The jobs of one kind in a study, and what has become of them."""

    def __init__(
        self, path: Path, kind: JobKind, *, pruner: optuna.pruners.BasePruner | None = None
    ) -> None:
        """Open the journal, or begin it.

        pruner: by which `Claim.trial` is told to stop early
        raises: UserError where the file is damaged
        """
        lock = JournalFileOpenLock(str(path))
        lock.acquire()
        try:
            _mend(path)
        finally:
            lock.release()
        self._planning = JournalFileOpenLock(str(path.with_name("plan")))
        try:
            storage = optuna.storages.JournalStorage(JournalFileBackend(str(path), lock))
            with self.locked():
                self.study = optuna.create_study(
                    storage=storage,
                    study_name=kind,
                    direction="maximize",
                    load_if_exists=True,
                    pruner=pruner,
                )
        except (ValueError, KeyError, TypeError, AssertionError):
            raise UserError(
                f"{path}: this file is damaged. Delete it, and the same command goes on with the "
                "runs of a grid that are finished; a search starts over with --fresh."
            ) from None
        self._watch = Watch()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other worker take on jobs, or change the plan, for a moment."""
        self._planning.acquire()
        try:
            yield
        finally:
            with contextlib.suppress(RuntimeError):  # it was held too long, and broken by others
                self._planning.release()

    def trials(self) -> Trials:
        """Return the last trial of every job."""
        return _last(self.study.get_trials(deepcopy=False))

    def retry(self, is_lost: Callable[[FrozenTrial], bool]) -> None:
        """Let jobs be done again that have failed, or were done and left nothing."""
        again = [
            trial.number
            for trial in self.trials().values()
            if problem(trial) or (trial.state == TrialState.COMPLETE and is_lost(trial))
        ]
        self.study.set_user_attr("retried", again)

    def claim(self, propose: Propose) -> Claim | None:
        """Take on a job: one that a dead worker has left, or else the next.

        returns: None where there is nothing to take on, though others may still be at work
        """
        with self.locked():
            for one in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                if self._watch.is_dead(one.number, one.user_attrs):
                    self.study.tell(one.number, state=TrialState.FAIL)
            trials = self.trials()
            retried = self.study.user_attrs.get("retried", [])
            left = [one for one in trials.values() if is_left(one) or one.number in retried]
            if left:
                self.study.add_trial(_again(left[0]))
            is_waiting = any(one.state == TrialState.WAITING for one in trials.values())
            trial = self.study.ask() if left or is_waiting else propose(self.study, trials)
            if trial is None:
                return None
            trial.set_user_attr("worker", ProcessId.here().as_dict())
            return Claim(self.study, trial)


def is_left(trial: FrozenTrial) -> bool:
    """Tell a job that a worker has begun, and given back or died of."""
    return trial.state == TrialState.FAIL and "problem" not in trial.user_attrs


def problem(trial: FrozenTrial) -> str | None:
    """Say why a job cannot be done; None: it can, as far as is known."""
    failed = trial.state == TrialState.FAIL
    return str(trial.user_attrs["problem"]) if failed and not is_left(trial) else None


def is_open(trials: Trials) -> bool:
    """Tell whether a job is to be done, or somebody at work on it."""
    return any(not trial.state.is_finished() or is_left(trial) for trial in trials.values())


def is_running(trials: Trials) -> bool:
    """Tell whether somebody is at work on a job, as far as is known."""
    return any(not trial.state.is_finished() for trial in trials.values())


def count_ended(trials: Trials) -> int:
    """Count the jobs that are done, given up or failed: nobody is to do anything for them."""
    return sum(trial.state.is_finished() and not is_left(trial) for trial in trials.values())


def _last(trials: Sequence[FrozenTrial]) -> Trials:
    return {trial.user_attrs["job"]: trial for trial in trials if "job" in trial.user_attrs}


def _again(trial: FrozenTrial) -> FrozenTrial:
    """Make a trial for the same job, with all that was reported of it."""
    own = ("worker", "beat", "problem")
    kept = {name: value for name, value in trial.user_attrs.items() if name not in own}
    return optuna.trial.create_trial(
        state=TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=kept,
        intermediate_values=trial.intermediate_values,
    )


def _mend(path: Path) -> None:
    """Cut off a line that a crash has torn: the next one would be written behind it."""
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
