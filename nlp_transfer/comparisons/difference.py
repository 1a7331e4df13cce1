"""How far apart two sides are in one figure, and how that is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nlp_transfer.metrics.figures import Interval


@dataclass(frozen=True)
class Difference:
    """How far apart two sides are in one figure, fractions."""

    a: float
    b: float
    ci95: Interval
    """Of the delta."""
    p: float

    @property
    def delta(self) -> float:
        return self.b - self.a

    def as_dict(self) -> dict[str, Any]:
        values = {"a": self.a, "b": self.b, "delta": self.delta}
        return {**values, "ci95": list(self.ci95), "p": self.p}

    def cells(self) -> tuple[str, str, str]:
        """Write delta, interval and p for a table."""
        low, high = self.ci95
        between = f"{low:+.4f} to {high:+.4f}"
        return f"{self.delta:+.4f}", between, p_in_words(self.p).removeprefix("p ")


def p_in_words(p: float) -> str:
    """Write p for people."""
    return "p < 0.001" if p < 0.001 else f"p {p:.2g}"
