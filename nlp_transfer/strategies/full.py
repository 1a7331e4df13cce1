"""Full fine-tuning: every weight learns."""

from __future__ import annotations

from typing import ClassVar, Literal

from nlp_transfer.strategies.base import WEIGHTS, Stage, Strategy


class Full(Strategy):
    """Train all parameters."""

    stage: ClassVar[Stage] = Stage.WEIGHTS
    # All that decide which weights learn exclude one another: any order would do.
    order: ClassVar[int] = 30

    exclusive: ClassVar[tuple[str, ...]] = (WEIGHTS,)

    name: Literal["full"] = "full"
