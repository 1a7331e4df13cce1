"""The steps of flows/finetune.py before training, for tests of what they hand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_transfer.models.build import LoadedModel
from nlp_transfer.records import Splits
from nlp_transfer.strategies.plan import plan_of
from nlp_transfer.training.arguments import training_arguments
from nlp_transfer.training.building import build, choose_weights
from nlp_transfer.training.examples import SplitData, TaskWindows, add_rows, encode, load
from nlp_transfer.training.trainer import TransferTrainer, build_trainer


@dataclass(frozen=True)
class Built:
    """What `fit` is given."""

    tasks: list[TaskWindows]
    loaded: LoadedModel
    temperature: float

    @property
    def splits(self) -> Splits:
        return self.tasks[0].splits

    @property
    def data(self) -> Mapping[str, SplitData]:
        return self.tasks[0].data

    def trainer(self, checkpoints: Path, **options: Any) -> TransferTrainer:
        """Put the Trainer together, which keeps its checkpoints in a folder."""
        recipe = self.tasks[0].recipe
        args = training_arguments(
            recipe.training, checkpoints, strategies=recipe.strategies, **options
        )
        return build_trainer(self.tasks, self.loaded, args, temperature=self.temperature)


def built(recipe: Any) -> Built:
    """Load, build and encode what a recipe says."""
    plan = plan_of(recipe)
    tasks = add_rows(load(plan))
    models = build(tasks)
    learner = choose_weights(tasks, models)
    return Built(encode(tasks, models), learner, plan.temperature)
