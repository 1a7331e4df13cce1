"""Text regression: one number for a text."""

from __future__ import annotations

from typing import ClassVar, Literal

from nlp_transfer.tasks.base import Task

from .checks import RegressionChecks
from .decoding import RegressionDecoder
from .head import RegressionHead
from .results import RegressionResults
from .rows import RegressionRows
from .scores import RegressionScores
from .windows import RegressionWindows


class RegressionTask(Task):
    """Give texts a number."""

    head_name: ClassVar[str] = "ForSequenceClassification"

    name: Literal["regression"] = "regression"

    @property
    def rows(self) -> RegressionRows:
        """Texts with a number."""
        return RegressionRows()

    @property
    def checks(self) -> RegressionChecks:
        """Numbers that are all the same."""
        return RegressionChecks()

    @property
    def windows(self) -> RegressionWindows:
        """Texts, cut off where they are long."""
        return RegressionWindows()

    @property
    def head(self) -> RegressionHead:
        """One output."""
        return RegressionHead()

    @property
    def decoder(self) -> RegressionDecoder:
        """The number itself."""
        return RegressionDecoder()

    @property
    def scores(self) -> RegressionScores:
        """Pearson's r and the mean absolute error."""
        return RegressionScores()

    @property
    def results(self) -> RegressionResults:
        """Texts with their number."""
        return RegressionResults()
