"""What the formats need of a result: its text, its entities over it, its labels, its name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from nlp_transfer.data.items import free_name
from nlp_transfer.errors import UserError

Result = Mapping[str, Any]

_ENTITY_ANSWERS = ("tokens", "tags", "entities")
_CLASS_ANSWERS = ("label", "labels", "score", "scores", "set", "unknown")


class Entity(NamedTuple):
    """Offsets in code points, the end exclusive."""

    start: int
    end: int
    type: str


def text_of(result: Result) -> str:
    """Return the text that the offsets count in; words without one are joined by blanks."""
    text: str = result["text"] if "text" in result else " ".join(result["tokens"])
    return text


def entities_of(result: Result) -> list[Entity]:
    """List the entities from left to right."""
    return [Entity(found["start"], found["end"], found["type"]) for found in result["entities"]]


def has_entities(result: Result) -> bool:
    """Tell entities from classes."""
    return "entities" in result


def labels_of(result: Result) -> list[str]:
    """List the classes of a text: one, or any number for a multi-label task.

    One label may be null, where none was sure enough, or the text is of none.
    """
    if "labels" in result:
        return list(result["labels"])
    return [] if result["label"] is None else [result["label"]]


def origin(result: Result) -> dict[str, Any]:
    """Return the id and document of the item, where the input has named them."""
    return {key: result[key] for key in ("id", "document") if result.get(key) is not None}


def item_of(result: Result, *taken: str) -> dict[str, Any]:
    """Return what was predicted on: the text and all fields that came with it.

    taken: keys that the format has for something else; a field of such a name is renamed
    """
    answers = _ENTITY_ANSWERS if has_entities(result) else _CLASS_ANSWERS
    given = {key: value for key, value in result.items() if key not in answers}
    fields = {**given, "text": text_of(result)}
    return {free_name(name, taken, fields): value for name, value in fields.items()}


def place(result: Result, number: int) -> str:
    """Name an item for people, from 1 on."""
    return f"item {number}" + (f" (id {result['id']})" if result.get("id") is not None else "")


def to_json(value: object, encoding: str | None) -> str:
    r"""Write a value on one line, with \u escapes only if the encoding lacks the characters.

    encoding: of a stream; None: UTF-8
    """
    line = json.dumps(value, ensure_ascii=False)
    try:
        line.encode(encoding or "utf-8")
    except UnicodeEncodeError:  # half a surrogate pair, or a terminal that is not UTF-8
        return json.dumps(value)
    return line


def check_characters(text: str, encoding: str | None, where: str, to: str) -> None:
    """Refuse characters that a plain text file cannot give back; the encoding None is UTF-8."""
    try:
        text.encode(encoding or "utf-8")
        fault = "a NUL character" if "\0" in text else ""
    except UnicodeEncodeError as error:
        fault = f"{error.object[error.start]!r}, which is not {error.encoding}"
    if fault:
        raise UserError(f"{where}: {to} cannot hold {fault}. Remove it, or use --to jsonl.")
