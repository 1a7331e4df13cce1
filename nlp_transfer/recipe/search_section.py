"""The search section of a recipe: what `nlpt study --search` may choose for which keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from nlp_transfer.recipe.base import Fault, Section, raise_together

Settings = Mapping[str, JsonValue]
"""Values by the dotted keys of a recipe."""


class Range(Section):
    """Numbers from one end to the other."""

    low: int | float = Field(description="the smallest")
    high: int | float = Field(description="the largest; whole numbers where both ends are whole")
    log: bool = Field(False, description="try each order of magnitude as often as another")

    @model_validator(mode="after")
    def _ends_fit(self) -> Range:
        faults = []
        if self.low >= self.high:
            faults.append(Fault("high", f"must be above low ({self.low}), found {self.high}"))
        if self.log and self.low <= 0:
            faults.append(Fault("low", f"must be above 0 where log is true, found {self.low}"))
        raise_together(faults)
        return self


Choices = Annotated[tuple[JsonValue, ...], Field(min_length=1, max_length=1000)]


def _by_dotted_keys(value: object) -> object:
    """Read {training: {epochs: [2, 3]}}, as overrides make it, as {training.epochs: [2, 3]}."""
    if not isinstance(value, dict):
        return value
    found: dict[str, object] = {}
    for key, below in value.items():
        if isinstance(below, dict) and not below.keys() & Range.model_fields.keys():
            inside = _by_dotted_keys(below)
            assert isinstance(inside, dict)
            found |= {f"{key}.{name}": one for name, one in inside.items()}
        else:
            found[str(key)] = below
    return found


SearchSpace = Annotated[
    dict[str, Range | Choices],
    BeforeValidator(_by_dotted_keys, json_schema_input_type=dict[str, Range | Choices]),
]
"""What is tried for which key."""


def examples_of(tried: Range | tuple[JsonValue, ...]) -> tuple[JsonValue, ...]:
    """List the values that must be right for all others to be: the ends, or every choice."""
    return (tried.low, tried.high) if isinstance(tried, Range) else tried
