"""Logits and label ids in, the loss of each item weighed and added up out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

IGNORED = -100
"""The label id of what has no label; `torch.nn.functional.cross_entropy` leaves it out."""


@dataclass(frozen=True)
class Objective:
    """What is made smaller in training; by default the cross-entropy."""

    smoothing: float = 0.0
    """Share of each target that is spread over the other labels (Szegedy et al. 2016)."""
    focal_gamma: float = 0.0
    """How much less an item counts the surer its label is (Lin et al. 2017)."""
    weights: tuple[float, ...] | None = None
    """How much an item of each label counts, in the order of the model's outputs."""

    def cross_entropy(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Add up the loss of items that have one label each.

        logits:  (items, labels)
        targets: (items,) label ids, or IGNORED
        """
        from torch.nn import functional

        losses = functional.cross_entropy(
            logits.float(), targets, reduction="none", label_smoothing=self.smoothing
        )
        known = targets.clamp(min=0)
        if self.focal_gamma:
            probability = logits.float().softmax(-1).gather(-1, known[:, None])[:, 0]
            losses = losses * (1 - probability) ** self.focal_gamma
        if self.weights:
            losses = losses * logits.new_tensor(self.weights).float()[known]
        return losses.sum()

    def binary_cross_entropy(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Add up the loss of items that have any number of labels; each label is a question.

        logits:  (items, labels)
        targets: (items, labels) 0 or 1, or IGNORED
        """
        from torch.nn import functional

        labelled = (targets != IGNORED).float()
        given = targets.clamp(min=0).float()
        smoothed = given * (1 - self.smoothing) + self.smoothing / 2
        losses = labelled * functional.binary_cross_entropy_with_logits(
            logits.float(), smoothed, reduction="none"
        )
        if self.focal_gamma:
            probability = logits.float().sigmoid()
            of_target = given * probability + (1 - given) * (1 - probability)
            losses = losses * (1 - of_target) ** self.focal_gamma
        if self.weights:
            losses = losses * logits.new_tensor(self.weights).float()
        return losses.sum()


def labelled_items(
    states: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Bring texts and words under one shape: a window has items, and some of them have a label.

    states:  (windows, width), or (windows, pieces, width), perhaps behind those of virtual tokens
    labels:  (windows,), (windows, pieces), or (windows, labels) where each is a yes or no
    returns: states (windows, items, width), labels (windows, items) or (windows, items, labels),
             and which have one (windows, items); items are pieces, or one that is the whole text
    """
    if states.dim() == 3:
        states = states[:, -labels.shape[1] :]
    else:
        states, labels = states[:, None], labels[:, None]
    has_label = labels != IGNORED
    return states, labels, has_label.any(dim=-1) if labels.dim() == states.dim() else has_label


def soft_cross_entropy(
    student: torch.Tensor, taught: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Add up T^2 * KL(teacher || student) over items, both softened by the temperature T.

    student: (items, labels) logits
    taught:  (items, labels) log-probabilities
    returns: () float32
    source:  Hinton et al. 2015, section 2; T^2 keeps the gradient's size whatever T is
    """
    from torch.nn.functional import kl_div

    q = (student / temperature).log_softmax(dim=-1)
    p = (taught / temperature).log_softmax(dim=-1)
    return temperature**2 * kl_div(q, p, reduction="sum", log_target=True)


def soft_binary_cross_entropy(
    student: torch.Tensor, taught: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Do the same where each label is a yes or no: two classes, the second logit is 0.

    student, taught, returns: as `soft_cross_entropy` has them
    """
    import torch

    unlikely = (-taught.expm1()).clamp_min(torch.finfo(taught.dtype).tiny).log()
    return soft_cross_entropy(
        torch.stack([student, torch.zeros_like(student)], dim=-1),
        torch.stack([taught, unlikely], dim=-1),
        temperature,
    )
