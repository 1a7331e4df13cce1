"""What a user says of an input in, the data section that reads it out; messages name options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from nlp_transfer.data.formats import FORMATS
from nlp_transfer.data.items import ROLES, Columns
from nlp_transfer.errors import UserError, nearest
from nlp_transfer.recipe import DataSection

_NAMED = (*ROLES, "sentence")
# A key of a recipe, as messages of readers name it, perhaps with a value.
_KEY = re.compile(
    r"data\.(?P<key>columns|encoding_errors|encoding|format|header|quoted|separator)"
    r"(?:\.(?P<role>\w+))?(?P<value>=(?:'[^']*'|\.\.\.|[\w-]+))?"
)


def parse_columns(given: str) -> dict[str, str | int]:
    """Read "text=premise,text_pair=hypothesis" or "text=0", as --columns takes it.

    raises: UserError for what is none, or a role that no model reads
    """
    columns: dict[str, str | int] = {}
    for part in filter(None, given.split(",")):
        role, equals, name = (piece.strip() for piece in part.partition("="))
        if not equals or not name:
            raise UserError(
                f"--columns: {part!r} is not ROLE=COLUMN. For example: "
                "--columns text=premise,text_pair=hypothesis"
            )
        if role not in _NAMED:
            raise UserError(
                f"--columns: {role!r} is nothing that a model reads ({', '.join(_NAMED)})."
                f"{nearest(role, _NAMED)}"
            )
        columns[role] = int(name) if name.lstrip("-").isdecimal() else name
    return columns


def input_section(
    source: str, format: str, columns: Columns, **options: str | bool | None
) -> DataSection:
    """Say how an input is read as a recipe would; what a recipe would refuse is refused."""
    known = ["auto", *(known.name for known in FORMATS if known.read)]
    if format not in known:
        raise UserError(
            f"--format: {format!r} is unknown ({', '.join(known)}).{nearest(format, known)}"
        )
    try:
        return DataSection.model_validate(
            {"source": source, "format": format, "columns": columns, **options}
        )
    except ValidationError as error:
        fault = error.errors()[0]
        key = str(fault["loc"][0])
        meaning = DataSection.model_fields[key].description
        raise UserError(
            f"--{key.replace('_', '-')}: {fault['input']!r} does not fit. It is: {meaning}."
        ) from None


@contextmanager
def with_options() -> Iterator[None]:
    """Let errors of reading name the options of `nlpt predict`, not the keys of a recipe."""
    try:
        yield
    except UserError as error:
        raise UserError(_KEY.sub(_as_option, str(error))) from None


def _as_option(found: re.Match[str]) -> str:
    """Write `data.encoding=latin-1` as `--encoding latin-1`, `data.header=false` as --no-header."""
    name, value = found["key"].replace("_", "-"), (found["value"] or "")[1:]
    if value in ("true", "false"):
        return f"--{name}" if value == "true" else f"--no-{name}"
    role = f" {found['role']}" if found["role"] else ""
    equals = "=" if role and value else " " if value else ""
    return f"--{name}{role}{equals}{value}"
