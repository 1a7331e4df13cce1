"""CSV: one text a record, with all its fields, its class and the probability of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from typing import Any, TextIO

from nlp_transfer.data.formats.results import (
    Result,
    check_characters,
    item_of,
    labels_of,
    place,
)
from nlp_transfer.errors import UserError, shortened

_BETWEEN_LABELS = "|"


def write(results: Iterable[Result], stream: TextIO) -> None:
    """Write the columns of the first item, the text among them, then label and score.

    One label has its score beside it; the labels of a multi-label task are joined by "|". A field
    that a later item lacks is empty; lists and objects are written as JSON.
    raises: UserError for an item with a column that the first has not, or a label with a "|"
    """
    writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    names: list[str] = []
    for number, result in enumerate(results, start=1):
        where = place(result, number)
        record = {**item_of(result, "label", "score"), **_answer(result, where)}
        if not names:
            names = list(record)
            writer.writerow(names)
        new = [name for name in record if name not in names]
        if new:
            raise UserError(
                f"{where}: it has the columns {shortened(list(record))}; {new[0]!r} is not among "
                f"those of the first item ({shortened(names)}). Use --to jsonl, or give all items "
                "the same columns."
            )
        cells = [_cell(record.get(name)) for name in names]
        check_characters("".join(map(str, cells)), stream.encoding, where, "csv")
        writer.writerow(cells)


def _answer(result: Result, where: str) -> dict[str, str | float]:
    labels = labels_of(result)
    broken = [label for label in labels if _BETWEEN_LABELS in label]
    if broken and "labels" in result:
        raise UserError(
            f"{where}: the label {broken[0]!r} holds {_BETWEEN_LABELS!r}, which stands between "
            "labels in a CSV file. Use --to jsonl."
        )
    score = {"score": result["score"]} if "score" in result else {}
    return {"label": _BETWEEN_LABELS.join(labels), **score}


def _cell(value: Any) -> str | int | float:
    """Return what stands in a field: text and numbers as they are, else JSON; None is empty."""
    if value is None:
        return ""
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    return json.dumps(value, ensure_ascii=False)
