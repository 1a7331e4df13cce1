"""doccano's JSONL: texts with [start, end, type] or with class names under "label"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from nlp_transfer.data.writers.results import (
    Result,
    entities_of,
    is_ner,
    labels_of,
    origin,
    text_of,
    to_json,
)


def write(results: Iterable[Result], stream: TextIO) -> None:
    """Write {text, label: [[start, end, type], ...]} or {text, label: [name, ...]}."""
    for result in results:
        label = entities_of(result) if is_ner(result) else labels_of(result)
        pair = {"text_pair": result["text_pair"]} if "text_pair" in result else {}
        row = {**origin(result), "text": text_of(result), **pair, "label": label}
        stream.write(to_json(row, stream) + "\n")
