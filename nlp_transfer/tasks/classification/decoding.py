"""A classifier's outputs in, the labels of each text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlp_transfer.tasks.arrays import mean_probabilities
from nlp_transfer.tasks.faces import WindowRow

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Classification:
    """The prediction for one text."""

    labels: tuple[str, ...]
    """The best label; for a multi-label task every label above the threshold, perhaps none."""
    scores: Mapping[str, float]
    """Probability of every label, 0 to 1."""
    model_scores: Sequence[float] = ()
    """As `scores`, before they were calibrated, in the same order; none: they were not."""

    @property
    def answers(self) -> tuple[tuple[str, ...]]:
        """The labels of the text, as one."""
        return (self.labels,)


@dataclass(frozen=True)
class ClassificationDecoder:
    """Chooses labels from the mean of the logits of a text's windows."""

    multi_label: bool
    threshold: float
    """Multi-label: the least probability of a label that is chosen, 0 to 1."""

    def window_outputs(
        self, logits: torch.Tensor, windows: Sequence[WindowRow]
    ) -> list[NDArray[np.float32]]:
        """Keep each window's logits.

        logits:  (windows, labels)
        returns: (1, labels) a window
        """
        return [part.numpy() for part in logits.float().cpu().split(1)]

    def stitch(
        self, outputs: Sequence[NDArray[np.float32]], labels: int
    ) -> NDArray[np.floating[Any]]:
        """Average the windows' logits; multi-label, each label has a probability of its own.

        outputs: (1, labels) a window
        returns: (1, labels) log-probabilities
        """
        import numpy as np

        windows = np.concatenate(outputs).astype(np.float64)
        logits: NDArray[np.float64] = windows.mean(axis=0, keepdims=True)
        if self.multi_label:
            return np.negative(np.logaddexp(0, -logits))
        return np.subtract(logits, np.logaddexp.reduce(logits, axis=1, keepdims=True))

    def mean(self, stitched: Sequence[NDArray[np.floating[Any]]]) -> NDArray[np.floating[Any]]:
        """Average the probabilities that several models give the labels: (1, labels)."""
        return mean_probabilities(stitched)

    def decode(self, stitched: NDArray[np.floating[Any]], labels: Sequence[str]) -> Classification:
        """Choose the label, or those above the threshold, from log-probabilities: (1, labels)."""
        import numpy as np

        probabilities = np.exp(stitched[0])
        if self.multi_label:
            best = tuple(labels[int(i)] for i in np.flatnonzero(probabilities >= self.threshold))
        else:
            best = (labels[int(probabilities.argmax())],)
        return Classification(best, dict(zip(labels, probabilities.tolist(), strict=True)))
