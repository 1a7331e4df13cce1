"""A list, or the text of one in a table's field, in; its items out."""

from __future__ import annotations

import ast
import json
import re

_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_ARRAY = re.compile(  # as Python prints what holds values
    r"(?:\w+\.)?(?:array|tensor|Index|Series|list|tuple|set|frozenset)\((.*?)"
    r"(?:,\s*(?:dtype|device)=.*)?\)",
    re.DOTALL,
)
_BITS_APART = re.compile(r"[01](?:[ \t]+[01])+|[01](?:\s*[,;]\s*[01]){2,}")
_STRAIGHT = str.maketrans("‘’“”", "''\"\"")
_LONGEST_LIST = 10_000


def listed(value: object, *, sure: bool) -> list[object] | None:
    """Return the items of a list, or of a list that a table's field holds as text; else None.

    sure: take text for a list only where nothing else can be meant: quotes, numbers, commas
    """
    if isinstance(value, list | tuple):
        return list(value)
    if not isinstance(value, str) or len(value) > _LONGEST_LIST:
        return None
    text = value.strip()
    if _BITS_APART.fullmatch(text):
        return re.findall("[01]", text)
    while array := _ARRAY.fullmatch(text):
        text = array[1].strip() or "[]"
    if len(text) < 2 or _BRACKETS.get(text[0]) != text[-1]:
        return None
    if not text[1:-1].strip():
        return []
    text = text.translate(_STRAIGHT) if text[1:-1].strip()[0] in "‘“" else text
    found = _parsed(text)
    if found is not None or text[0] == "(" or re.search(r"[][(){}]", text[1:-1]):
        return found
    mark = next((mark for mark in ",;|" if mark in text), ",")
    parts = [part.strip() for part in text[1:-1].split(mark)]
    return [part for part in parts if part] if len(parts) > 1 or not sure else None


def _parsed(text: str) -> list[object] | None:
    """Read a list as JSON, Python or numpy write it."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        # Python would join the neighbours of numpy's ['a' 'b'] to one.
        commas = re.sub(r"(['\"])\s+(?=['\"])", r"\1, ", text)
        commas = re.sub(r"(?<=[\d.])\s+(?=-?\d)", ", ", commas) if "'" not in text else commas
        try:
            found = ast.literal_eval(commas)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return None
    if isinstance(found, dict):
        # Label Studio's CSV has several choices so; other objects are no labels.
        choices = found.get("choices") if found.keys() == {"choices"} else None
        return choices if isinstance(choices, list) else [found]
    return list(found) if isinstance(found, list | tuple | set) else None
