"""A Trainer callback that keeps the weights of some evaluations as files."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from nlp_transfer.strategies.parts.weights import copy_weights, write_weights

_FOLDER = "averaging"


class KeepSnapshots(TrainerCallback):
    """Keeps the weights of the last or the best evaluations; only the main process writes.

    The files lie beside the Trainer's checkpoints. A resumed run writes those of the steps that it
    takes again once more, and ends with the same files as an uninterrupted one.
    """

    def __init__(self, count: int, *, best: bool) -> None:
        """best: keep the evaluations with the highest scores, the earlier of equals."""
        self._count = count
        self._best = best

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        *,
        model: nn.Module,
        metrics: dict[str, float],
        **_: object,
    ) -> None:
        """Write the weights of this step, and delete those that no longer count."""
        if not state.is_world_process_zero:
            return
        folder = Path(args.output_dir, _FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"step-{state.global_step}.safetensors"
        write_weights(copy_weights(model), path, score=metrics["eval_score"])
        for stale in sorted(folder.glob("step-*"), key=self._rank)[self._count :]:
            stale.unlink()

    def _rank(self, path: Path) -> tuple[float, int]:
        if not self._best:
            return 0.0, -snapshot_step(path)
        with safe_open(path, "pt") as file:
            return -float(file.metadata()["score"]), snapshot_step(path)


def snapshot_step(path: Path) -> int:
    """Return the step at which a snapshot was taken."""
    return int(path.stem.removeprefix("step-"))


def read_snapshots(checkpoints: Path) -> dict[int, dict[str, torch.Tensor]]:
    """Read the snapshots of a run, by step.

    checkpoints: the folder in which the Trainer keeps what resuming needs
    """
    paths = sorted(Path(checkpoints, _FOLDER).glob("step-*"), key=snapshot_step)
    return {snapshot_step(path): load_file(path) for path in paths}
