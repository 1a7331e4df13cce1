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
    """The best label, or none where the text is of no class; for a multi-label task every label
    above the threshold, perhaps none."""
    scores: Mapping[str, float]
    """Probability of every label, 0 to 1."""
    model_scores: Sequence[float] = ()
    """As `scores`, before they were calibrated, in the same order; none: they were not."""
    strangeness: float | None = None
    """Above 0: it is too strange for any class; None: the model takes all texts for known."""
    possible: tuple[str, ...] | None = None
    """The set of labels that holds the right one as often as was asked, the likeliest first."""

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

        outputs: (1, labels) a window; what else stands behind them is averaged
        returns: (1, labels) log-probabilities, and that behind them
        """
        import numpy as np

        windows = np.concatenate(outputs).astype(np.float64)
        mean: NDArray[np.float64] = windows.mean(axis=0, keepdims=True)
        logits, behind = mean[:, :labels], mean[:, labels:]
        if self.multi_label:
            told = np.negative(np.logaddexp(0, -logits))
        else:
            told = np.subtract(logits, np.logaddexp.reduce(logits, axis=1, keepdims=True))
        return np.concatenate((told, behind), axis=1)

    def mean(self, stitched: Sequence[NDArray[np.floating[Any]]]) -> NDArray[np.floating[Any]]:
        """Average the probabilities that several models give the labels: (1, labels)."""
        return mean_probabilities(stitched)

    def decode(self, stitched: NDArray[np.floating[Any]], labels: Sequence[str]) -> Classification:
        """Choose the label, or those above the threshold, from log-probabilities: (1, labels).

        stitched: or (1, labels + 1): how strange the text is stands behind them
        """
        import numpy as np

        probabilities = np.exp(stitched[0, : len(labels)])
        strangeness = float(stitched[0, -1]) if stitched.shape[1] > len(labels) else None
        if self.multi_label:
            best = tuple(labels[int(i)] for i in np.flatnonzero(probabilities >= self.threshold))
        else:
            best = (labels[int(probabilities.argmax())],)
        if strangeness is not None and strangeness > 0:
            best = ()
        scores = dict(zip(labels, probabilities.tolist(), strict=True))
        return Classification(best, scores, strangeness=strangeness)
