"""doccano's JSONL: texts with [start, end, type] or with class names under "label".

It is read as JSON lines, in which such labels are recognised.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from nlp_transfer.data.formats.base import Format, Writer
from nlp_transfer.data.formats.results import (
    Result,
    entities_of,
    has_entities,
    item_of,
    labels_of,
    to_json,
)


def _write(results: Iterable[Result], stream: TextIO) -> None:
    """Write {text, label: [[start, end, type], ...]} or {text, label: [name, ...]}."""
    for result in results:
        label = entities_of(result) if has_entities(result) else labels_of(result)
        stream.write(to_json({**item_of(result, "label"), "label": label}, stream.encoding) + "\n")


DOCCANO = Format(
    name="doccano",
    writer=Writer(
        needs=(frozenset({"tokens", "entities"}), frozenset({"label"})), to_stream=_write
    ),
)
