"""Numbers, gold and predicted, in; Pearson's r and the mean absolute error out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from nlp_transfer.metrics.figures import Headline, Score
from nlp_transfer.records import Prediction
from nlp_transfer.shown import Table

from .decoding import Number


@dataclass(frozen=True)
class RegressionFigures:
    """Figures of a split."""

    pearson: float
    mae: float
    pearson_ci95: tuple[float, float]

    @property
    def headline(self) -> Headline:
        """Pearson's r."""
        return RegressionScores().read_headline(asdict(self))

    @property
    def per_label(self) -> Mapping[str, Score]:
        """Numbers are no classes."""
        return {}

    def tables(self) -> Sequence[Table]:
        """Show both."""
        cells = (f"{self.pearson:.4f}", f"{self.mae:.4f}")
        return (Table("Numbers", ("", "Pearson r", "MAE"), (("all", *cells),)),)

    def in_words(self) -> str:
        """Say how far off a number is."""
        return f"A number is off by {self.mae:.4f} on average."

    def compared(self) -> Sequence[tuple[str, str, float]]:
        """Choose both."""
        return ("pearsonr", "Pearson r", self.pearson), ("mae", "MAE", self.mae)

    def as_dict(self) -> dict[str, Any]:
        return {"number": {**asdict(self), "pearson_ci95": list(self.pearson_ci95)}}


@dataclass(frozen=True)
class RegressionScores:
    """Pearson's r and the mean absolute error."""

    headline: ClassVar[str] = "Pearson r"

    def headline_figure(self, rows: Dataset, predictions: Sequence[Prediction]) -> float:
        """Return Pearson's r."""
        return _pearson(*_compared(rows, predictions))

    def figures(
        self, rows: Dataset, predictions: Sequence[Prediction], *, samples: int
    ) -> RegressionFigures:
        """Compute both."""
        gold, found = _compared(rows, predictions)
        chosen = np.random.default_rng(0).integers(0, len(gold), (samples, len(gold)))
        low, high = np.quantile([_pearson(gold[c], found[c]) for c in chosen], (0.025, 0.975))
        mae = float(np.abs(gold - found).mean())
        return RegressionFigures(_pearson(gold, found), mae, (float(low), float(high)))

    def read(self, figures: Mapping[str, Any]) -> RegressionFigures:
        """Read what `as_dict` wrote."""
        low, high = figures["number"]["pearson_ci95"]
        return RegressionFigures(**{**figures["number"], "pearson_ci95": (low, high)})

    def read_headline(self, line: Mapping[str, Any]) -> Headline:
        """Read the line of all numbers."""
        return Headline.read(self.headline, "pearson", line)

    def constant_answer(self, rows: Dataset, predictions: Sequence[Prediction]) -> str | None:
        """Say that every text has one number."""
        _, found = _compared(rows, predictions)
        return None if len(set(found.tolist())) > 1 else f"{found[0]:g} for every text"


def _compared(
    rows: Dataset, predictions: Sequence[Prediction]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return gold and predicted numbers, (texts,) each."""
    found = [prediction.number for prediction in predictions if isinstance(prediction, Number)]
    return np.array(rows["number"], np.float64), np.array(found, np.float64)


def _pearson(gold: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """Return Pearson's r of (texts,) each; 0 where one side is constant."""
    if not gold.std() or not found.std():
        return 0.0
    return float(np.corrcoef(gold, found)[0, 1])
