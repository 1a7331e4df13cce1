"""The callback of gradual unfreezing: the step of a run in, the layers that learn out."""

from __future__ import annotations

import logging

from torch import nn
from transformers import TrainerCallback, TrainerState

from nlp_transfer.models.architecture import layers_of

log = logging.getLogger(__name__)


class Unfreezing(TrainerCallback):
    """Lets a model learn from the top down; the step alone decides, so that a run can resume."""

    def __init__(self, until: float | None) -> None:
        self._until = until
        self._unfrozen = -1

    def on_step_begin(
        self, args: object, state: TrainerState, *_: object, model: nn.Module, **__: object
    ) -> None:
        """Freeze or unfreeze what is due; the optimizer, made before, knows all parameters."""
        layers = layers_of(model)
        count = len(layers.modules)
        stages = count + 1  # the embeddings are the last
        due = min(stages, unfrozen_stages(self._until, stages, state))
        if due == self._unfrozen:
            return
        self._unfrozen = due
        # Weights without a gradient are left alone by the optimizer, weight decay included.
        for name, parameter in model.named_parameters():
            depth = layers.depth(name)
            parameter.requires_grad = depth is None or depth >= count - due
        if state.is_world_process_zero:
            log.info("step %d: %d of %d layers learn", state.global_step, min(due, count), count)


def unfrozen_stages(until: float | None, stages: int, state: TrainerState) -> int:
    """Count the stages below the head that learn at a step: layers, then the embeddings.

    until: share of all steps after which all do; None: one more each epoch
    """
    if until is None:
        return int(state.epoch or 0)
    return int(stages * state.global_step / (until * state.max_steps))
