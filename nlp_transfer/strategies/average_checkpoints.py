"""The mean of the weights at several evaluations of one run (Izmailov et al. 2018)."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nlp_transfer.strategies.base import ADAPTERS, Kept, Stage, Strategy
from nlp_transfer.strategies.context import Outcome, TransferRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel, TrainerCallback

log = logging.getLogger(__name__)


class AverageCheckpoints(Strategy):
    """Keep the average of the weights at the last or the best evaluations."""

    stage: ClassVar[Stage] = Stage.KEPT
    # Averages what was trained: nothing may have moved it before.
    order: ClassVar[int] = 10

    # The product of two averaged low-rank matrices is not the average of their products.
    excludes: ClassVar[tuple[str, ...]] = (ADAPTERS,)

    name: Literal["average_checkpoints"] = "average_checkpoints"
    count: int = Field(3, ge=2, le=1000, description="evaluations whose weights are averaged")
    choose: Literal["last", "best"] = Field(
        "last", description="best: those with the highest validation score"
    )
    only_if_better: bool = Field(
        True, description="keep the best checkpoint where the average scores lower on validation"
    )

    def misfits(self, recipe: TransferRecipe) -> Iterator[str]:
        """Refuse to average more evaluations than there will be."""
        training = recipe.training
        rhythm = training.arguments.get("eval_strategy", "epoch")
        evaluations = 0 if rhythm == "no" else math.ceil(training.epochs)
        is_known = rhythm == "no" or (rhythm == "epoch" and "max_steps" not in training.arguments)
        if is_known and self.count > evaluations:
            yield (
                f"average_checkpoints: count is {self.count}, a run of {training.epochs:g} epochs "
                f"has {evaluations} evaluations. Average fewer, or evaluate more often with "
                "training.arguments (eval_strategy and save_strategy, eval_steps and save_steps)"
            )

    def callbacks(self) -> Sequence[TrainerCallback]:
        from nlp_transfer.strategies.parts.snapshots import KeepSnapshots

        return [KeepSnapshots(self.count, best=self.choose == "best")]

    def finish(self, model: PreTrainedModel, outcome: Outcome) -> Kept:
        """Average what was kept."""
        from nlp_transfer.strategies.parts.snapshots import read_snapshots
        from nlp_transfer.strategies.parts.weights import copy_weights, mean

        snapshots = read_snapshots(outcome.checkpoints)
        if len(snapshots) < self.count:
            log.warning(
                "%s: count is %d, the run had %d evaluations", self.name, self.count, len(snapshots)
            )
        if not snapshots:
            return Kept(model)
        own, score = copy_weights(model), outcome.score(model)
        model.load_state_dict(mean(list(snapshots.values())))
        averaged_score = outcome.score(model)
        kept = averaged_score >= score or not self.only_if_better
        if not kept:
            model.load_state_dict(own)
        log.info(
            "%s: validation %s %.4f for the average, %.4f for the best checkpoint; %s is kept",
            self.name,
            outcome.run.recipe.task.scores.headline,
            averaged_score,
            score,
            "the average" if kept else "the best checkpoint",
        )
        scores = {"validation": averaged_score, "validation_of_best_checkpoint": score}
        return Kept(model, {"steps": list(snapshots), **scores, "kept": kept})
