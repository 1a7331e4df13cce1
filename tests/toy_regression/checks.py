"""Texts with a number in, what only they can have wrong out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nlp_transfer.doctor.finding import Finding
from nlp_transfer.doctor.rows import columns
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import Splits


@dataclass(frozen=True)
class RegressionChecks:
    """What numbers can have wrong."""

    def amounts(self, splits: Splits) -> Iterator[Finding]:
        """Find training data with one number only."""
        numbers: set[float] = {n for (n,) in columns(splits["train"], "number")}
        if len(numbers) < 2:
            message = f"the number of every text is {numbers.pop():g}"
            yield Finding("one_number", "error", message, "Check data.columns.label.")

    def own(self, splits: Splits) -> Iterator[Finding]:
        """Find nothing else."""
        yield from ()

    def raw_text(self, splits: Splits, data: DataSection) -> Iterator[Finding]:
        """Texts are raw."""
        yield from ()
