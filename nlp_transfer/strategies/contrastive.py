"""Supervised contrastive learning: examples of one label lie close, all others apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import output_layer, without_adapter
from nlp_transfer.models.features import reading
from nlp_transfer.strategies.base import Stage, Strategy
from nlp_transfer.strategies.context import (
    Batch,
    Forward,
    LossFunction,
    RunContext,
    TrainingData,
)
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.objective import IGNORED, labelled_items
from nlp_transfer.tasks.optional import SoftLoss

if TYPE_CHECKING:
    import torch

    from nlp_transfer.models.build import LoadedModel

_BLOCK = 512
"""Items that are compared with all others at a time: memory grows with their number, not with its
square."""


class Contrastive(Strategy):
    """Let what the output layer reads be alike for items of one label, beside the labels' loss.

    source: Khosla et al. 2020 (SupCon); beside the cross-entropy: Gunel et al. 2021
    """

    stage: ClassVar[Stage] = Stage.WEIGHTS
    # When all others have said what learns. Its loss stands beside the labels', before that of two
    # passes: r_drop's second pass is a partner of every item, as in SimCSE (Gao et al. 2021).
    order: ClassVar[int] = 95
    experimental: ClassVar[bool] = True

    name: Literal["contrastive"] = "contrastive"
    weight: float = Field(
        0.5, gt=0, lt=1, description="of the contrastive loss; that of the labels gets the rest"
    )
    temperature: float = Field(
        0.1,
        ge=0.01,
        le=10,
        description="of similarities, which are -1 to 1; lower: the nearest count for more",
    )

    @staticmethod
    def needs(task: Task) -> SoftLoss | None:
        """Tell labels apart: numbers have none in common."""
        return task.soft_loss

    def choose_weights(self, loaded: LoadedModel, run: RunContext) -> LoadedModel:
        """Refuse a model of which nothing below its output layer learns.

        No recipe says it: a head may have layers below that one, and they may be new or not.
        """
        model = without_adapter(loaded.model)
        last = {id(own) for own in model.get_submodule(output_layer(model)).parameters()}
        if not any(own.requires_grad and id(own) not in last for own in loaded.model.parameters()):
            raise UserError(
                "contrastive: nothing that the output layer reads learns, so that it cannot "
                "change it. Let layers learn (strategies frozen: layers: N), or leave it out."
            )
        return loaded

    def wrap_loss(self, loss: LossFunction, data: TrainingData) -> LossFunction:
        """Return (1 - weight) * loss + weight * contrastive loss of the batch."""
        model = without_adapter(data.loaded.model)
        layer = model.get_submodule(output_layer(model))

        def loss_with_contrast(forward: Forward, batch: Batch, items: torch.Tensor) -> torch.Tensor:
            read: list[torch.Tensor] = []
            with reading(layer, read):
                of_labels = loss(forward, batch, items)
            if not read:  # a batch of a side task, which has an output layer of its own
                return of_labels
            states, labels, has_label = labelled_items(read[0], batch["labels"])
            contrast = contrastive_loss(states[has_label], labels[has_label], self.temperature)
            # A text counts as often among the items as it has labels to be told, yes or no.
            counted = (labels != IGNORED).sum() / has_label.sum().clamp(min=1)
            return (1 - self.weight) * of_labels + self.weight * counted * contrast / items

        return loss_with_contrast


def contrastive_loss(
    states: torch.Tensor, labels: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Add up over items how surprising the others of their label are among all others.

    An item that has no partner adds nothing; it is still one of the others. Where an item may have
    several labels, others are its partners by the share of labels that both have (Jaccard).

    states:  (items, width)
    labels:  (items,) ids, or (items, labels) 0 or 1
    returns: () float32
    source:  Khosla et al. 2020, equation 2
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    places = torch.nn.functional.normalize(states.float(), dim=-1)
    total = places.sum() * 0  # a batch without labels has a gradient too
    for first in range(0, len(places), _BLOCK):
        block = (places, labels, first, temperature)
        if len(places) <= _BLOCK:
            total = total + _of_block(*block)
        else:  # similarities are computed again for the gradient, not kept
            total = total + checkpoint(_of_block, *block, use_reentrant=False)
    return total


def _of_block(
    places: torch.Tensor, labels: torch.Tensor, first: int, temperature: float
) -> torch.Tensor:
    """Add up the loss of some items, which all are compared with.

    places: (items, width), of length 1
    first:  number of the first of the block
    """
    import torch

    mine = slice(first, first + _BLOCK)
    with torch.autocast(places.device.type, enabled=False):  # three digits would be too few
        similar = places[mine] @ places.T / temperature
    numbers = torch.arange(len(places), device=places.device)
    itself = numbers[mine, None] == numbers
    alike = _likeness(labels[mine], labels).masked_fill(itself, 0)
    surprise = similar.masked_fill(itself, -1e9).logsumexp(dim=-1, keepdim=True) - similar
    partners = alike.sum(dim=-1)
    losses = (alike * surprise).sum(dim=-1) / partners.where(partners > 0, 1)
    total: torch.Tensor = losses.sum()
    return total


def _likeness(some: torch.Tensor, all_labels: torch.Tensor) -> torch.Tensor:
    """Return (some, all): 1 where labels are the same, or the share of them that both have."""
    if some.dim() == 1:
        return (some[:, None] == all_labels).float()
    ours, theirs = some.clamp(min=0).float(), all_labels.clamp(min=0).float()
    both = ours @ theirs.T
    either = ours.sum(-1, keepdim=True) + theirs.sum(-1) - both
    return both / either.clamp(min=1)
