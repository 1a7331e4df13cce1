"""What every section of a recipe is made of, and the short forms that its values may have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Fault(NamedTuple):
    """What is wrong with a key, below the section or key that is checked."""

    key: str
    problem: str


class FaultsError(ValueError):
    """Several faults that one validator has found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(": ".join(filter(None, fault)) for fault in faults))
        self.faults = tuple(faults)


def raise_together(faults: Iterable[Fault]) -> None:
    """Raise all faults that there are as one error."""
    if found := list(faults):
        raise FaultsError(found)


class Section(BaseModel):
    """Base of every recipe section: frozen, finite numbers, and unknown keys are errors."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, allow_inf_nan=False
    )


def by_name(value: Any) -> Any:
    """Read `ner` as {name: ner}."""
    return {"name": value} if isinstance(value, str) else value


def one_or_more(value: Any) -> Any:
    """Read one text as a list of one; a list written with commas is left to be refused."""
    return [value] if isinstance(value, str) and "," not in value else value


def pairs(value: Any) -> Any:
    """Read `text:body,label:2` as {text: body, label: 2}."""
    if not isinstance(value, str):
        return value
    parts = [part.partition(":") for part in value.split(",")]
    if not all(key.strip() and colon and rest.strip() for key, colon, rest in parts):
        return value
    return {key.strip(): _number(rest.strip()) for key, _, rest in parts}


def _number(text: str) -> str | int:
    return int(text) if re.fullmatch("-?[0-9]{1,9}", text) else text


_OneName = Annotated[str, Field(pattern="^[^,]+$", json_schema_extra={"form": "one name"})]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(one_or_more, json_schema_input_type=tuple[str, ...] | _OneName),
]
"""Several names; one alone needs no list."""
Pairs = Annotated[
    str,
    Field(
        pattern="^[^:,]+:[^,]+(,[^:,]+:[^,]+)*$",
        json_schema_extra={"form": "pairs like ours:theirs,ours:theirs"},
    ),
]
"""The short form of a mapping."""
