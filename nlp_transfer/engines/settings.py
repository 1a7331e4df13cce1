"""What a user says of a measurement in, checked before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypedDict, Unpack

from nlp_transfer.errors import UserError

NAMES = ("torch-fp32", "torch-bf16", "compiled", "onnx-fp32", "onnx-int8")
_CLOCKS = ("wall", "processor")


class Given(TypedDict, total=False):
    """Settings as they are given; those that are left out have their defaults."""

    batches: tuple[int, ...]
    rounds: int
    examples: int
    timed: int
    clock: str


@dataclass(frozen=True)
class Settings:
    """How engines are measured."""

    batches: tuple[int, ...] = (512, 1024, 2048)
    """Pieces computed at a time, padding included."""
    rounds: int = 5
    """How often each engine predicts, in turns."""
    examples: int = 2000
    """How many are predicted at most to see how alike engines answer."""
    timed: int = 256
    """How many of these a round takes."""
    clock: str = "wall"
    """wall, or processor: seconds of all cores, where other work runs beside."""

    @classmethod
    def of(cls, **given: Unpack[Given]) -> Self:
        """Check settings.

        raises: UserError for what cannot be measured by
        """
        settings = cls(**given)
        if settings.clock not in _CLOCKS:
            raise UserError(f"--clock: {settings.clock!r} is unknown ({', '.join(_CLOCKS)}).")
        numbers = (*settings.batches, settings.rounds, settings.examples, settings.timed)
        if not settings.batches or min(numbers) < 1:
            raise UserError("--batch, --rounds, --examples and --timed are numbers from 1 on.")
        return settings


def names_in(engines: str) -> tuple[str, ...]:
    """Read "torch-fp32,compiled", as --engines takes it; torch-fp32 is always among them.

    raises: UserError for what is no engine
    """
    given = tuple(name.strip() for name in engines.split(",") if name.strip()) or NAMES
    for name in given:
        if name not in NAMES:
            raise UserError(f"--engines: {name!r} is unknown ({', '.join(NAMES)}).")
    return tuple(name for name in NAMES if name in (*given, NAMES[0]))
