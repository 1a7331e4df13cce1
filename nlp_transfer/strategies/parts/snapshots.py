"""A Trainer callback that keeps the weights of some evaluations as files."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from nlp_transfer.manifest import Listed, read_manifest, write_listed
from nlp_transfer.processes.sharing import readable
from nlp_transfer.strategies.parts.weights import copy_weights, write_weights

_FOLDER = "averaging"


class KeepSnapshots(TrainerCallback):
    """Keeps the weights of the last or the best evaluations; only the main process writes.

    The files lie beside the Trainer's checkpoints, with a manifest: a run goes on from a checkpoint
    only if those until then are whole. It writes those of the steps that it takes again once more,
    and ends with the same files as an uninterrupted one.
    """

    def __init__(self, count: int, *, best: bool) -> None:
        """best: keep the evaluations with the highest scores, the earlier of equals."""
        self._count = count
        self._best = best

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Drop the weights of steps that are taken again."""
        if state.is_world_process_zero:
            for path in Path(args.output_dir, _FOLDER).glob("step-*"):
                if snapshot_step(path) > state.global_step:
                    path.unlink()

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
        ranked = sorted(folder.glob("step-*"), key=self._rank)
        known = {**(read_manifest(folder) or {}), path.name: Listed.of(path)}
        kept = ranked[: self._count]
        write_listed(folder, {each.name: known.get(each.name) or Listed.of(each) for each in kept})
        for stale in ranked[self._count :]:
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
    """Read the snapshots of a run, by step; to be called by all processes.

    checkpoints: the folder in which the Trainer keeps what resuming needs
    """
    folder = readable(Path(checkpoints, _FOLDER))
    paths = sorted(folder.glob("step-*"), key=snapshot_step)
    if (listed := read_manifest(folder)) is not None:
        paths = [path for path in paths if path.name in listed]  # not what a crash has left
    return {snapshot_step(path): load_file(path) for path in paths}
