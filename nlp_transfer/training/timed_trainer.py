"""The Trainer with a clock, and a limit to the time that it trains in."""

from __future__ import annotations

from typing import Any

from nlp_transfer.training.out_of_memory import SplittingTrainer
from nlp_transfer.training.progress import Progress, planned_epochs
from nlp_transfer.training.time_limit import TimeLimit


class TimedTrainer(SplittingTrainer):
    """A Trainer among whose callbacks is a Progress."""

    def __init__(self, **parts: Any) -> None:
        """Hand `parts` on to the Trainer."""
        super().__init__(**parts)
        self.time_limit = TimeLimit(lambda: self.clock)
        self.add_callback(self.time_limit)

    @property
    def clock(self) -> Progress:
        """What tells the training time of the whole run, over every resume."""
        return next(c for c in self.callback_handler.callbacks if isinstance(c, Progress))

    @property
    def cut_short(self) -> dict[str, Any]:
        """Say for metrics.json that time has ended the training, and what was planned."""
        if not self.time_limit.is_reached:
            return {}
        return {
            "ended_by": "training.max_minutes",
            "planned_steps": self.state.max_steps,
            "planned_epochs": round(planned_epochs(self.args, self.state), 4),
        }

    def _get_learning_rate(self) -> float:
        return float(super()._get_learning_rate() * self.time_limit.factor)
