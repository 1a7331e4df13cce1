"""Full fine-tuning: every weight learns."""

from __future__ import annotations

from typing import ClassVar, Literal

from nlp_transfer.strategies.base import WEIGHTS, Strategy


class Full(Strategy):
    """Train all parameters."""

    exclusive: ClassVar[tuple[str, ...]] = (WEIGHTS,)

    name: Literal["full"] = "full"
