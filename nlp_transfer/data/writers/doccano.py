"""doccano's JSONL: texts with [start, end, type] or with class names under "label"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from nlp_transfer.data.formats.results import (
    Result,
    entities_of,
    is_ner,
    item_of,
    labels_of,
    to_json,
)


def write(results: Iterable[Result], stream: TextIO) -> None:
    """Write {text, label: [[start, end, type], ...]} or {text, label: [name, ...]}."""
    for result in results:
        label = entities_of(result) if is_ner(result) else labels_of(result)
        stream.write(to_json({**item_of(result, "label"), "label": label}, stream) + "\n")
