"""Gradual unfreezing: the head learns first, then layer by layer from the top (ULMFiT)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nlp_transfer.strategies.base import WEIGHTS, Stage, Strategy
from nlp_transfer.strategies.context import Wrapper

if TYPE_CHECKING:
    from transformers import TrainerCallback


class GradualUnfreezing(Strategy):
    """Start with what is above the layers; let the embeddings learn last."""

    stage: ClassVar[Stage] = Stage.WEIGHTS
    # As full.
    order: ClassVar[int] = 50

    exclusive: ClassVar[tuple[str, ...]] = (WEIGHTS,)
    # DeepSpeed takes steps with weights that have no gradient yet: they would decay.
    not_under: ClassVar[tuple[Wrapper, ...]] = ("zero-1", "zero-2", "zero-3")

    name: Literal["gradual_unfreezing"] = "gradual_unfreezing"
    until: float | None = Field(
        None,
        gt=0,
        le=1,
        examples=[0.5],
        description="share of all steps after which all weights learn, the layers having joined at "
        "equal distances; null: one more layer each epoch",
    )

    def arguments(self) -> Mapping[str, Any]:
        """Let processes wait for no gradient of a frozen layer."""
        return {"ddp_find_unused_parameters": True}

    def callbacks(self) -> Sequence[TrainerCallback]:
        from nlp_transfer.strategies.parts.unfreezing import Unfreezing

        return [Unfreezing(self.until)]
