"""LP-FT: the head starts as a linear probe of the frozen encoder (Kumar et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from nlp_transfer.strategies.base import HEAD, Stage, Strategy
from nlp_transfer.strategies.context import OutputLayer
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.optional import SoftLoss


class LinearProbe(Strategy):
    """Let the output layer start as logistic regression on what it reads, not at random.

    source: Kumar et al. 2022, "Fine-tuning can distort pretrained features and underperform
            out-of-distribution"
    """

    stage: ClassVar[Stage] = Stage.WEIGHTS
    # Once all is there that the head reads: adapters and prompts too.
    order: ClassVar[int] = 90
    experimental: ClassVar[bool] = True

    exclusive: ClassVar[tuple[str, ...]] = (HEAD,)

    name: Literal["linear_probe"] = "linear_probe"
    c: float | None = Field(
        None,
        gt=0,
        le=1e6,
        examples=[1],
        description="inverse strength of the L2 penalty, as scikit-learn's C; null: of 0.1, 1 and "
        "10 the one that is best on validation",
    )

    @property
    def in_words(self) -> str:
        return "head fitted first"

    @staticmethod
    def needs(task: Task) -> SoftLoss | None:
        """Fit probabilities of labels."""
        return task.soft_loss

    def fit_head(self, layer: OutputLayer) -> Mapping[str, Any]:
        """Set the output layer by logistic regression."""
        from nlp_transfer.strategies.parts.fitted_head import fit_output_layer

        return fit_output_layer(layer, c=self.c, name=self.name)
