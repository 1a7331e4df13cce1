"""What stands for the strategies and settings that are chosen from data and checkpoint."""

from __future__ import annotations

from typing import ClassVar, Literal

from nlp_transfer.strategies.base import RATES, WEIGHTS, Stage, Strategy
from nlp_transfer.strategies.plan import Plan


class Auto(Strategy):
    """Choose what learns, how fast and how long, from data and checkpoint.

    It stands for what `auto_table` says of them, until a recipe is resolved (`resolving`).
    """

    stage: ClassVar[Stage] = Stage.WEIGHTS
    # Never acts itself; stands before all that decide what it stands for.
    order: ClassVar[int] = 5

    exclusive: ClassVar[tuple[str, ...]] = (WEIGHTS, RATES)

    name: Literal["auto"] = "auto"

    def plan(self, plan: Plan) -> Plan:
        raise AssertionError("a recipe is resolved before it is planned")
