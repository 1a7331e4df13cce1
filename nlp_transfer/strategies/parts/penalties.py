"""What penalties on the weights share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlp_transfer.strategies.context import Batch
from nlp_transfer.tasks.objective import IGNORED

if TYPE_CHECKING:
    import torch


def share_of_step(batch: Batch, items: torch.Tensor) -> torch.Tensor:
    """Return the share of a step's labelled items that are in this batch, 0 to 1.

    A term that belongs to the whole step, such as a penalty on the weights, is added in these
    shares: over all processes and accumulated batches it then counts once.

    items:   a scalar, as a LossFunction has it
    returns: a scalar
    """
    return (batch["labels"] != IGNORED).sum() / items
