"""Transfer through a task in between: a fine-tuned checkpoint is the start of another run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nlp_transfer.errors import UserError, shortened
from nlp_transfer.models.architecture import head_parameters, output_layer
from nlp_transfer.models.pooling import pooling_of
from nlp_transfer.records import Splits
from nlp_transfer.strategies.base import HEAD, Stage, Strategy
from nlp_transfer.strategies.context import FineTuned, RunContext, TransferRecipe
from nlp_transfer.tasks.base import Task

if TYPE_CHECKING:
    from nlp_transfer.models.build import LoadedModel

log = logging.getLogger(__name__)

_KEY = "model.checkpoint"


class IntermediateTask(Strategy):
    """Start from a fine-tuned checkpoint: its encoder, and on request its head by label name.

    source: Phang et al. 2018 (STILTs)
    """

    stage: ClassVar[Stage] = Stage.WEIGHTS
    # Says what the head starts from, before anything asks what starts at random.
    order: ClassVar[int] = 10

    name: Literal["intermediate_task"] = "intermediate_task"
    head: Literal["new", "matched"] = Field(
        "new", description="matched: labels of the same name keep what the checkpoint learned"
    )

    def misfits(self, recipe: TransferRecipe) -> Iterator[str]:
        """Refuse to carry over what another strategy would overwrite."""
        for other in recipe.strategies:
            if self.head == "matched" and (HEAD in other.exclusive or not other.takes_steps):
                yield (
                    f"intermediate_task: head: matched is lost where '{other.name}' fits the head; "
                    "keep one"
                )

    def check(self, splits: Splits, run: RunContext) -> None:
        """Refuse a checkpoint that is not fine-tuned, or whose head cannot be matched."""
        source, task = run.models.open(str(run.start), _KEY), run.recipe.task
        if self.head == "matched":
            _check_matches(source, task, task.head.new(splits.labels).labels)

    def carry_over(self, loaded: LoadedModel, run: RunContext) -> LoadedModel:
        """Take the matching rows of the checkpoint's head over."""
        source = run.models.open(str(run.start), _KEY)
        run.models.close(str(run.start))
        if self.head == "new":
            return loaded
        pooling = pooling_of(source.loaded.model.config)
        if pooling_of(loaded.model.config) != pooling:
            raise UserError(
                f"model.pooling: the head of this checkpoint reads {pooling}, so that it cannot "
                "be carried over. Leave model.pooling out, or set head: new in strategies "
                "intermediate_task."
            )
        labels: list[str] = list(loaded.model.config.label2id)
        shared = [label for label in labels if label in source.labels]
        output = _copy_head(source, loaded, shared)
        unmatched = [label for label in labels if label not in shared]
        log.info("head carried over for the labels %s", shortened(shared))
        new = loaded.new_parameters - head_parameters(loaded.model)
        if unmatched:
            log.info("head starts at random for the labels %s", shortened(unmatched))
            new |= {name for name in loaded.new_parameters if name.startswith(f"{output}.")}
        return replace(loaded, new_parameters=new)


def _check_matches(source: FineTuned, task: Task, labels: Sequence[str]) -> None:
    """Refuse the head of another task, or one that shares no label but O."""
    if source.task.name != task.name:
        raise UserError(
            f"model.checkpoint is a model for {source.task.name}, the recipe is for {task.name}: "
            "its head does not fit. Set head: new in strategies intermediate_task."
        )
    if not set(labels) & set(source.labels) - {"O"}:
        raise UserError(
            f"model.checkpoint shares no label with the data. Checkpoint: "
            f"{shortened(source.labels)}. Data: {shortened(labels)}. "
            "Set head: new in strategies intermediate_task."
        )


def _copy_head(source: FineTuned, loaded: LoadedModel, shared: list[str]) -> str:
    """Copy the head: of the output layer the rows of shared labels, all of the layers below it.

    returns: name of the output layer
    """
    import torch

    target = loaded.model
    output = output_layer(target)
    taken = [source.labels.index(label) for label in shared]
    given = [target.config.label2id[label] for label in shared]
    weights = dict(source.loaded.model.named_parameters())
    with torch.no_grad():
        for name in head_parameters(target):
            own, other = target.get_parameter(name), weights[name].to("cpu")
            if name.startswith(f"{output}."):
                own[given] = other[taken]
            else:
                own.copy_(other)
    return output
