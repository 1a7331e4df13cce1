"""Texts with character spans, one JSON object a line, as Prodigy and doccano have them too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from nlp_transfer.data.formats.base import SPAN_KEYS, TEXT_KEYS, Format, Writer
from nlp_transfer.data.formats.jsonl import read_json
from nlp_transfer.data.formats.results import Result, entities_of, item_of, to_json


def _write(results: Iterable[Result], stream: TextIO) -> None:
    """Write {text, spans: [{start, end, label}]}."""
    for result in results:
        spans = [{"start": e.start, "end": e.end, "label": e.type} for e in entities_of(result)]
        stream.write(to_json({**item_of(result, "spans"), "spans": spans}, stream.encoding) + "\n")


SPANS = Format(
    name="spans",
    keys=TEXT_KEYS | SPAN_KEYS | {"drop_missing", "slices"},
    read=read_json,
    writer=Writer(needs=(frozenset({"tokens", "entities"}),), to_stream=_write),
)
