"""The Trainer with guard rails: a limit to its time, and an eye on whether it learns."""

from __future__ import annotations

from typing import Any

from nlp_transfer.recipe import TrainingSection
from nlp_transfer.training.divergence import DivergenceWatch
from nlp_transfer.training.out_of_memory import SplittingTrainer
from nlp_transfer.training.progress import Progress, planned_epochs
from nlp_transfer.training.time_limit import TimeLimit


class GuardedTrainer(SplittingTrainer):
    """A Trainer among whose callbacks is a Progress."""

    def __init__(self, *, training: TrainingSection, **parts: Any) -> None:
        """Hand `parts` on to the Trainer."""
        super().__init__(**parts)
        self.time_limit = TimeLimit(lambda: self.clock)
        self.add_callback(self.time_limit)
        self._divergence = DivergenceWatch(training)
        self.add_callback(self._divergence)

    @property
    def clock(self) -> Progress:
        """What tells the training time of the whole run, over every resume."""
        return next(c for c in self.callback_handler.callbacks if isinstance(c, Progress))

    @property
    def unusual(self) -> dict[str, Any]:
        """Say for metrics.json what of the training did not go as it was to."""
        diverged = self._divergence.figures
        if not self.time_limit.is_reached:
            return diverged
        return {
            **diverged,
            "ended_by": "training.max_minutes",
            "planned_steps": self.state.max_steps,
            "planned_epochs": round(planned_epochs(self.args, self.state), 4),
        }

    def _get_learning_rate(self) -> float:
        return float(super()._get_learning_rate() * self.time_limit.factor)
