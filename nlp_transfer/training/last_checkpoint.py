"""The checkpoints that an unfinished run has left, and the one that it can go on from."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

from nlp_transfer.manifest import MANIFEST, damage, read_manifest

log = logging.getLogger(__name__)

_OF_STEP = re.compile(r"step-(\d+)\.")


def newest_whole(checkpoints: Path) -> Path | None:
    """Find the newest checkpoint that is as it was written; say what is wrong with newer ones.

    The one of the best evaluation, which a run loads at its end, must be whole too, and so must
    the weights of evaluations until then that a strategy keeps beside them.
    """
    found = sorted(checkpoints.glob("checkpoint-*"), key=step_of, reverse=True)
    lost = dict(_lost_beside(checkpoints)) if found else {}
    for checkpoint in found:
        wrong = damage(checkpoint) or _damage_of_best(checkpoint)
        wrong = wrong or next((f for step, f in lost.items() if step <= step_of(checkpoint)), None)
        if wrong is None:
            return checkpoint
        log.warning("%s is damaged (%s): not used", checkpoint, wrong)
    return None


def step_of(checkpoint: Path) -> int:
    """Return the step after which a checkpoint was saved; -1 for a folder that is none of ours."""
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def _damage_of_best(checkpoint: Path) -> str | None:
    state = json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))
    if not state["best_model_checkpoint"]:
        return None
    best = checkpoint.with_name(f"checkpoint-{state['best_global_step']}")
    found = damage(best)
    return f"of {best.name}, the best until then: {found}" if found else None


def _lost_beside(checkpoints: Path) -> Iterator[tuple[int, str]]:
    """Find what a strategy has kept of steps and is damaged: the step, and what is wrong."""
    for manifest in checkpoints.glob(f"*/{MANIFEST}"):
        for name, listed in (read_manifest(manifest.parent) or {}).items():
            step, file = _OF_STEP.match(name), manifest.parent / name
            if step and (found := listed.damage(file)):
                yield int(step[1]), f"{manifest.parent.name}/{name} beside it {found}"
