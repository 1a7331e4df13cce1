"""CSV: one text a record, with its class and the probability of it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TextIO

from nlp_transfer.data.writers.results import Result, check_characters, labels_of, place
from nlp_transfer.errors import UserError

_BETWEEN_LABELS = "|"


def write(results: Iterable[Result], stream: TextIO) -> None:
    """Write the columns id, document and text_pair where the first result has them, text, label.

    One label has its score beside it; the labels of a multi-label task are joined by "|".
    raises: UserError for an item that has other columns than the first, or a label with a "|"
    """
    writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    names: list[str] = []
    for number, result in enumerate(results, start=1):
        record = _record(result, place(result, number))
        if not names:
            names = list(record)
            writer.writerow(names)
        if list(record) != names:
            raise UserError(
                f"{place(result, number)}: it has the columns {', '.join(record)}, the first item "
                f"has {', '.join(names)}. Use --to jsonl, or give all items the same columns."
            )
        texts = "".join(map(str, record.values()))
        check_characters(texts, stream.encoding, place(result, number), "csv")
        writer.writerow(record.values())


def _record(result: Result, where: str) -> dict[str, str | float]:
    given = ("id", "document", "text", "text_pair")
    record: dict[str, str | float] = {
        key: str(result[key]) for key in given if result.get(key) is not None
    }
    labels = labels_of(result)
    broken = [label for label in labels if _BETWEEN_LABELS in label]
    if broken and "labels" in result:
        raise UserError(
            f"{where}: the label {broken[0]!r} holds {_BETWEEN_LABELS!r}, which stands between "
            "labels in a CSV file. Use --to jsonl."
        )
    record["label"] = _BETWEEN_LABELS.join(labels)
    if "score" in result:
        record["score"] = result["score"]
    return record
