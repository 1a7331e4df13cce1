"""How strange texts are to a model in; how well it tells those of none of its classes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.metrics.figures import four_digits

KEPT = 0.95
"""Share of the known texts that a detector of unknown ones is usually compared at."""


@dataclass(frozen=True)
class UnknownFigures:
    """Texts of the model's classes, and of none of them; fractions, None where not defined."""

    known: int
    """Texts of its classes."""
    unknown: int
    """Texts of none of them."""
    known_kept: float | None
    """Share of the known that are given a class, right or wrong."""
    unknown_caught: float | None
    """Share of the unknown that are given none."""
    auroc: float | None
    """Chance that a text of none of the classes is stranger than one of them."""
    caught_at_95: float | None
    """Share of the unknown that is stranger than 95 % of the known texts of this split are."""

    @classmethod
    def of(
        cls, strangeness: NDArray[np.float64], rejected: NDArray[np.bool_], none: NDArray[np.bool_]
    ) -> UnknownFigures:
        """Count and compare.

        strangeness: (texts,)
        rejected:    (texts,) whether a text was given no class
        none:        (texts,) whether it has none
        """
        known, unknown = strangeness[~none], strangeness[none]
        both = len(known) > 0 and len(unknown) > 0
        return cls(
            len(known),
            len(unknown),
            float(1 - rejected[~none].mean()) if len(known) else None,
            float(rejected[none].mean()) if len(unknown) else None,
            _auroc(none, strangeness) if both else None,
            float((unknown > np.quantile(known, KEPT)).mean()) if both else None,
        )

    def cells(self) -> list[tuple[str, str]]:
        """Write what is defined for a table of two columns."""
        lines = [
            (f"known texts that keep a class, of {self.known:,}", self.known_kept),
            (f"unknown texts that get none, of {self.unknown:,}", self.unknown_caught),
            ("AUROC of unknown", self.auroc),
            ("unknown caught at 95 % of known kept", self.caught_at_95),
        ]
        return [(name, four_digits(value)) for name, value in lines if value is not None]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> UnknownFigures:
        """Read what `as_dict` wrote."""
        return cls(**said)


def _auroc(none: NDArray[np.bool_], strangeness: NDArray[np.float64]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(none, strangeness))
