"""Label Studio's JSON: a list of tasks, each with one annotation, ready to be imported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TextIO

from nlp_transfer.data.formats.results import (
    Result,
    entities_of,
    is_ner,
    item_of,
    labels_of,
    to_json,
)

# The names of the controls in Label Studio's own templates for NER.
_CONTROL = {"from_name": "label", "to_name": "text"}


def write(results: Iterable[Result], stream: TextIO) -> None:
    """Write tasks one after the other; regions are of type labels, classes of type choices."""
    stream.write("[")
    for number, result in enumerate(results):
        stream.write(",\n" if number else "\n")
        stream.write(to_json(_task(result), stream))
    stream.write("\n]\n")


def _task(result: Result) -> dict[str, Any]:
    item = item_of(result)
    if is_ner(result):
        found = [
            {"start": start, "end": end, "text": item["text"][start:end], "labels": [entity_type]}
            for start, end, entity_type in entities_of(result)
        ]
        kind = "labels"
    else:
        found = [{"choices": labels_of(result)}]
        kind = "choices"
    regions = [
        {"id": f"r{number}", **_CONTROL, "type": kind, "value": value}
        for number, value in enumerate(found, start=1)
    ]
    return {"data": item, "annotations": [{"result": regions}]}
