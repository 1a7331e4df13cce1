"""Checkpoints of a run: written whole or not at all, and read to go on; damage said in one line.

Their files may be another's, where a run folder was copied: they are read as tensors only.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from torch import nn
from transformers import TrainerState
from transformers.trainer import OPTIMIZER_NAME, TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, rotate_checkpoints

from nlp_transfer import files
from nlp_transfer.manifest import write_manifest
from nlp_transfer.models.damage import explaining_damage
from nlp_transfer.processes import wait_for_all
from nlp_transfer.processes.sharing import bring_to_main, readable
from nlp_transfer.training.last_checkpoint import step_of
from nlp_transfer.training.sharding import ShardedTrainer

_BESIDE = ".saving"
"""Folder of the checkpoint that is being written."""


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


class WholeCheckpoints(ShardedTrainer):
    """A Trainer whose checkpoints take their names when they are whole.

    Each is written beside its place by all processes, gets a manifest, and is moved there; older
    ones are deleted after that.
    """

    _beside: Path | None = None

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._beside or super()._get_output_dir(trial))

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        place = Path(self.args.output_dir)
        self._beside = place / _BESIDE
        if self.args.should_save:
            files.remove(self._beside)  # of a process that was killed
        wait_for_all()
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self._beside = None
        wait_for_all()
        bring_to_main(place / _BESIDE)  # each process has written its random state
        name = f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        if self.state.best_global_step == self.state.global_step:
            self.state.best_model_checkpoint = str(place / name)
        if self.args.should_save:
            self._take_place(place / _BESIDE / name, place / name)
        wait_for_all()

    def save_now(self) -> None:
        """Save what resuming needs, between two steps."""
        self._save_checkpoint(self.model, None)

    def _take_place(self, written: Path, place: Path) -> None:
        """Move a checkpoint that is written to its place, and delete those that it replaces."""
        self.state.save_to_json(str(written / TRAINER_STATE_NAME))  # which now names the best one
        write_manifest(written)
        files.remove(place)
        written.replace(place)
        files.remove(written.parent)
        for later in place.parent.glob(f"{PREFIX_CHECKPOINT_DIR}-*"):
            if step_of(later) > self.state.global_step:
                files.remove(later)  # was damaged, so the run has gone on from one before it
        rotate_checkpoints(
            output_dir=str(place.parent),
            save_total_limit=self.args.save_total_limit,
            best_model_checkpoint=self.state.best_model_checkpoint,
        )

    def _init_training_state(self, *arguments: Any) -> tuple[int, int]:
        found: tuple[int, int] = super()._init_training_state(*arguments)
        self._find_best()
        return found

    def _find_best(self) -> None:
        """Find the best checkpoint where the run's folder is now: it may have been moved."""
        if self._best.is_dir():
            self.state.best_model_checkpoint = str(self._best)

    @property
    def _best(self) -> Path:
        step = self.state.best_global_step
        return Path(self.args.output_dir, f"{PREFIX_CHECKPOINT_DIR}-{step}")

    def _load_best_model(self) -> None:
        readable(self._best, but=[OPTIMIZER_NAME])
        self._find_best()
        super()._load_best_model()


class ResumingTrainer(WholeCheckpoints):
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
