"""Texts with character spans, one JSON object a line, as Prodigy has them too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from nlp_transfer.data.formats.results import Result, entities_of, item_of, to_json


def write(results: Iterable[Result], stream: TextIO) -> None:
    """Write {text, spans: [{start, end, label}]}."""
    for result in results:
        spans = [{"start": e.start, "end": e.end, "label": e.type} for e in entities_of(result)]
        stream.write(to_json({**item_of(result, "spans"), "spans": spans}, stream) + "\n")
