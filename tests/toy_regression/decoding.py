"""The output of a model in, the number of each text out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_transfer.tasks.faces import WindowRow


@dataclass(frozen=True)
class Number:
    """The prediction for one text."""

    number: float

    @property
    def answers(self) -> tuple[float]:
        """The number, as exactly as an export repeats it."""
        return (round(self.number, 2),)


@dataclass(frozen=True)
class RegressionDecoder:
    """Takes the one output as it is."""

    def window_outputs(
        self, logits: torch.Tensor, windows: Sequence[WindowRow]
    ) -> list[NDArray[np.float32]]:
        """Keep (1, 1) of each window, of logits (windows, 1)."""
        return [part.numpy() for part in logits.float().cpu().split(1)]

    def stitch(
        self, outputs: Sequence[NDArray[np.float32]], labels: int
    ) -> NDArray[np.floating[Any]]:
        """Average the windows: (1, 1)."""
        return self.mean(outputs)

    def mean(self, stitched: Sequence[NDArray[np.floating[Any]]]) -> NDArray[np.floating[Any]]:
        """Average (1, 1) of several."""
        return np.mean(np.stack(stitched), axis=0)

    def decode(self, stitched: NDArray[np.floating[Any]], labels: Sequence[str]) -> Number:
        """Read the number of (1, 1)."""
        return Number(float(stitched[0, 0]))
