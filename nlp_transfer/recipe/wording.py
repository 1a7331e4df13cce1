"""A value that does not belong into a recipe in, what people are told of it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nlp_transfer.errors import nearest, shortened
from nlp_transfer.recipe.familiar import other_value


def meant(value: str, known: Sequence[str]) -> str:
    """Say which of the known values was meant."""
    ours = other_value(value, known)
    return f" Did you mean {ours!r}?" if ours else nearest(value, known)


def found_value(value: object) -> str:
    """Describe a value that stands in a recipe, in a few words."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        names = shortened([str(key)[:40] for key in value], 5)
        return f"a section ({names})" if names else "an empty section"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, str | int | float):
        text = repr(value)
        return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"
    return type(value).__name__
