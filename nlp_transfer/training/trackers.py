"""Experiment trackers of a run: kept open until its figures are known, closed whatever happens."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from transformers import Trainer, TrainerCallback
from transformers.integrations import (
    MLflowCallback,
    TensorBoardCallback,
    WandbCallback,
    get_reporting_integration_callbacks,
)

log = logging.getLogger(__name__)

_AT_ONCE = 500
"""Figures that are handed over together: MLflow takes 1,000."""

End = Literal["finished", "failed", "stopped"]


class Trackers:
    """A context in which the trackers of a Trainer stay open after its training.

    Left by an error they are closed too, W&B and MLflow with a note that the run has failed. What
    a tracker itself fails at is a warning: the run has its figures.
    """

    def __init__(self) -> None:
        self._trainer: Trainer | None = None
        self._ends: dict[Any, Callable[..., None]] = {}
        self._stops: list[Callable[[End], None]] = []

    def hold(self, trainer: Trainer) -> None:
        """Take over the end of a trainer's trackers; before its training begins."""
        self._trainer = trainer
        kinds = tuple(get_reporting_integration_callbacks(trainer.args.report_to))
        for tracker in trainer.callback_handler.callbacks:
            if isinstance(tracker, kinds):
                self._ends[tracker] = tracker.on_train_end
                tracker.on_train_end = _later
                self._stops += _stops(tracker)

    def log(self, figures: Mapping[str, float]) -> None:
        """Hand figures to every tracker, at the last step of the training.

        figures: by names such as test/entity_f1; what comes before the first slash is train, eval
                 or test, as the Trainer's own figures have it
        """
        for tracker in self._ends:
            for some in _some(_named(figures, tracker)):
                self._tell(tracker, "on_log", tracker.on_log, logs=some)

    def __enter__(self) -> Trackers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the trackers; an error on the way here goes on."""
        end: End = "finished"
        if kind is not None:
            end = "failed" if issubclass(kind, Exception) else "stopped"
        if end != "finished":  # before the trackers themselves call it finished
            self._stop(end)
        for tracker, on_train_end in self._ends.items():
            tracker.on_train_end = on_train_end
            self._tell(tracker, "on_train_end", on_train_end)
        self._stop(end)

    def _tell(self, tracker: Any, event: str, hear: Callable[..., None], **more: object) -> None:
        trainer = self._trainer
        assert trainer is not None
        try:
            hear(
                trainer.args,
                trainer.state,
                trainer.control,
                model=trainer.model,
                processing_class=trainer.processing_class,
                **more,
            )
        except Exception as error:
            log.warning("%s failed in %s: %s", type(tracker).__name__, event, error)

    def _stop(self, end: End) -> None:
        for stop in self._stops:
            try:
                stop(end)
            except Exception as error:
                log.warning("an experiment tracker could not be closed: %s", error)


def keep_in(folder: Path, callbacks: Iterable[TrainerCallback]) -> None:
    """Let TensorBoard write to a folder, unless TENSORBOARD_LOGGING_DIR names one.

    Else its files would lie among the checkpoints, which a finished run deletes.
    """
    for callback in callbacks:
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            callback.logging_dir = str(folder)


def _later(*_: object, **__: object) -> None:
    """Stand in for the end of a tracker."""


def _stops(tracker: object) -> Iterator[Callable[[End], None]]:
    """Yield what closes a run that begins from here on; one that is open is its owner's."""
    if isinstance(tracker, WandbCallback):
        wandb = importlib.import_module("wandb")
        if wandb.run is None:
            yield lambda end: wandb.finish(exit_code=int(end != "finished")) if wandb.run else None
    elif isinstance(tracker, MLflowCallback):
        mlflow = importlib.import_module("mlflow")
        if mlflow.active_run() is None:
            status = {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
            yield lambda end: mlflow.end_run(status[end]) if mlflow.active_run() else None


def _named(figures: Mapping[str, float], tracker: object) -> dict[str, float]:
    """Name figures as a tracker is to be told them, so that each keeps them under the same name.

    All but MLflow's turn test_x into test/x, eval_x into eval/x, and what is left into train/x.
    """
    if isinstance(tracker, MLflowCallback):
        return dict(figures)
    split = {name: name.partition("/") for name in figures}
    return {
        (path if place == "train" else f"{place}_{path}"): figures[name]
        for name, (place, _, path) in split.items()
    }


def _some(figures: Mapping[str, float]) -> Iterator[dict[str, float]]:
    left = iter(figures.items())
    while some := dict(islice(left, _AT_ONCE)):
        yield some
