"""Logged losses and gradient norms in; one warning, where a training unlearns, out.

A loss that is no number ends a run (loss_watch.py). One that only grows goes on to the end, and
what it ends with may look like a model.
"""

from __future__ import annotations

import logging
import statistics
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from nlp_transfer.recipe import TrainingSection

log = logging.getLogger(__name__)

_FIRST, _RECENT = 10, 40
"""Steps whose mean loss is what a training began with, and what it has come to."""
_ABOVE = 1.05
"""Times the first loss. Means of so many steps differ by 1 % where nothing is learned."""
_EXPLODED = 2.0
"""Times the loss of the first step, of one batch, where all the first steps are as high already."""
_LEARNED = 0.8
"""Times the first loss, below which something was learned that can be lost again..."""
_LOST = 0.5
"""...by this share of it."""
_NORM, _IN_A_ROW = 10, 3
"""Times the median or the norm that gradients are cut to, whichever is more; at so many lines.

A single norm tells nothing: runs that ended well had up to 7 times their median.
"""


class Trend:
    """What the losses and gradient norms of a training say, line by line of its log."""

    def __init__(self, cut_to: float) -> None:
        """cut_to: the norm that gradients are cut to."""
        self._cut_to = cut_to
        self._steps, self._sums = [0], [0.0]
        self._norms: list[float] = []
        self._lowest: float | None = None

    def fault(self, line: Mapping[str, Any]) -> str | None:
        """Take a line of the log, and say what is wrong since then; None: nothing is."""
        step, loss = int(line["step"]), float(line["loss"])
        self._sums.append(self._sums[-1] + loss * (step - self._steps[-1]))
        self._steps.append(step)
        self._norms.append(float(line.get("grad_norm", 0)))
        return self._loss_fault() or self._norm_fault()

    def _loss_fault(self) -> str | None:
        begun = next((n for n, step in enumerate(self._steps) if step >= _FIRST), None)
        since = bisect_right(self._steps, self._steps[-1] - _RECENT) - 1
        if begun is None or since < begun:
            return None
        first, recent = self._mean(0, begun), self._mean(since, -1)
        if recent > _ABOVE * first:
            return f"the loss has risen from {first:.3g} to {recent:.3g}"
        if self._steps[1] == 1 and recent > _EXPLODED * self._sums[1]:
            return f"the loss has risen from {self._sums[1]:.3g} to {recent:.3g}"
        low = self._lowest = min(recent, self._lowest or recent)
        if low < _LEARNED * first and recent > low + _LOST * (first - low):
            return f"the loss has risen from {low:.3g} to {recent:.3g}; it began with {first:.3g}"
        return None

    def _mean(self, since: int, until: int) -> float:
        steps = self._steps[until] - self._steps[since]
        return (self._sums[until] - self._sums[since]) / steps

    def _norm_fault(self) -> str | None:
        if len(self._norms) <= 2 * _IN_A_ROW:
            return None
        usual = statistics.median(self._norms[:-_IN_A_ROW])
        if min(self._norms[-_IN_A_ROW:]) <= _NORM * max(usual, self._cut_to):
            return None
        return f"the gradient norm has risen from {usual:.3g} to {self._norms[-1]:.3g}"


class DivergenceWatch(TrainerCallback):
    """Warns once of a training that unlearns, and remembers it for the report."""

    def __init__(self, training: TrainingSection) -> None:
        """training: whose rate and warmup the advice names."""
        self._training = training
        cut_to = float(training.arguments.get("max_grad_norm", 1.0))
        self._trend = Trend(cut_to or 1.0)
        self._advice = (
            f"A lower training.learning_rate (it is {training.learning_rate:g}), a longer "
            f"training.warmup ({training.warmup:g}) or a lower "
            f"training.arguments.max_grad_norm ({cut_to:g}) may help"
        )
        self._at: int | None = None
        self._is_diverging = False

    @property
    def figures(self) -> dict[str, int | str]:
        """Say for metrics.json at which step training diverged, and whether it came back."""
        if self._at is None:
            return {}
        return {"diverged_at_step": self._at, "came_back": "no" if self._is_diverging else "yes"}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Read what a resumed run has logged before."""
        for line in state.log_history:
            self._take(line)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **_: object,
    ) -> None:
        """Look at what is logged."""
        known = self._at
        fault = self._take({"step": state.global_step, **(logs or {})})
        if fault and known is None and state.is_world_process_zero:
            log.warning("training diverges at step %d: %s. %s", self._at, fault, self._advice)

    def _take(self, line: Mapping[str, Any]) -> str | None:
        if "loss" not in line:
            return None
        fault = self._trend.fault(line)
        self._is_diverging = fault is not None
        if fault and self._at is None:
            self._at = int(line["step"])
        return fault
