"""The checkpoint of an interrupted run in, the state of training out; damage said in one line.

Its files may be another's, where a run folder was copied: they are read as tensors only.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from torch import nn
from transformers import Trainer, TrainerState

from nlp_transfer.models.damage import explaining_damage


def read_state(checkpoint: Path) -> TrainerState:
    """Read how far training has come."""
    with _explaining(checkpoint):
        return TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))


def patience_is_over(state: TrainerState) -> bool:
    """Tell from a checkpoint's state whether early stopping had ended the run."""
    stored = state.stateful_callbacks.get("EarlyStoppingCallback", [])
    return any(
        callback["attributes"]["early_stopping_patience_counter"]
        >= callback["args"]["early_stopping_patience"]
        for callback in (stored if isinstance(stored, list) else [stored])
    )


class ResumingTrainer(Trainer):
    """A Trainer that says which file of a checkpoint it cannot go on from."""

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: nn.Module | None = None
    ) -> None:
        with _explaining(resume_from_checkpoint):
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with _explaining(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)

    def _load_scaler(self, checkpoint: str | None) -> None:
        with _explaining(checkpoint):
            super()._load_scaler(checkpoint)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with _explaining(checkpoint):
            super()._load_rng_state(checkpoint)


def _explaining(checkpoint: Path | str | None) -> AbstractContextManager[None]:
    return explaining_damage(
        Path(checkpoint or "."),
        "--output",
        what="the state of training",
        advice="Delete this checkpoint to go on from the one before, or start over with --fresh.",
    )
