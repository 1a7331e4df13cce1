"""What every section of a recipe is made of, and the short forms that its values may have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Annotated, Any, NamedTuple, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo


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

    @model_validator(mode="before")
    @classmethod
    def _true_is_no_number(cls, values: object) -> object:
        """Hand true on as text where a number is meant, to be refused: it would be read as 1."""
        if not isinstance(values, dict):
            return values
        numbers = _number_keys(cls)
        return {key: _truth_as_text(v) if key in numbers else v for key, v in values.items()}

    def model_post_init(self, context: object, /) -> None:
        """Count the name that a section is told by as given, also where Python code left it out."""
        if "name" in type(self).model_fields:
            self.model_fields_set.add("name")

    def given(self) -> dict[str, Any]:
        """Return the keys that were given, as JSON; read again, it is the same section."""
        return self.model_dump(mode="json", exclude_unset=True)


@cache
def _number_keys(section: type[BaseModel]) -> frozenset[str]:
    """List the keys of a section that take numbers, and neither true nor false."""
    fields = section.model_fields.items()
    return frozenset(field.alias or name for name, field in fields if _is_number(field))


def _is_number(field: FieldInfo) -> bool:
    types = _types_in(field.annotation)
    return bool(types & {int, float}) and bool not in types


def _types_in(annotation: object) -> set[Any]:
    """Collect the types that an annotation is made of."""
    return {annotation}.union(*map(_types_in, get_args(annotation)))


def _truth_as_text(value: object) -> object:
    if isinstance(value, dict):
        return {key: _truth_as_text(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_truth_as_text(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else value


def by_name(value: object) -> object:
    """Read `ner` as {name: ner}."""
    return {"name": value} if isinstance(value, str) else value


def listed(value: object) -> object:
    """Read one section, or names with commas between them, as a list."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",")]
    return [value] if isinstance(value, dict) else value


def one_or_more(value: object) -> object:
    """Read one text as a list of one; a list written with commas is left to be refused."""
    return [value] if isinstance(value, str) and "," not in value else value


def pairs(value: object) -> object:
    """Read `text:body,label:2` as {text: body, label: 2}."""
    if isinstance(value, dict) and value and all(v is None and ":" in k for k, v in value.items()):
        value = ",".join(value)  # YAML reads {text:body} without a blank as a key of no value
    if not isinstance(value, str):
        return value
    parts = [part.partition(":") for part in value.split(",")]
    if not all(key.strip() and colon and rest.strip() for key, colon, rest in parts):
        return value
    return {key.strip(): _number(rest.strip()) for key, _, rest in parts}


def _number(text: str) -> str | int:
    return int(text) if re.fullmatch("-?[0-9]{1,9}", text) else text


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("the list is empty; null takes the names from the data")
    if twice := [name for number, name in enumerate(names) if name in names[:number]]:
        raise ValueError(f"{twice[0]!r} stands there twice")
    return names


_OneName = Annotated[str, Field(pattern="^[^,]+$", json_schema_extra={"form": "one name"})]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(one_or_more, json_schema_input_type=tuple[str, ...] | _OneName),
]
"""Several names; one alone needs no list."""
LabelNames = Annotated[Names, AfterValidator(_each_once)]
"""Names of what is learned, each once."""
Pairs = Annotated[
    str,
    Field(
        pattern="^[^:,]+:[^,]+(,[^:,]+:[^,]+)*$",
        json_schema_extra={"form": "pairs like ours:theirs,ours:theirs"},
    ),
]
"""The short form of a mapping."""
