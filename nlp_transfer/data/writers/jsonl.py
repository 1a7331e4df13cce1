"""Results as they are, one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from nlp_transfer.data.formats.results import Result, to_json


def write(results: Iterable[Result], stream: TextIO) -> None:
    """Write {text or tokens, tags, entities} or {text, label, score, scores}, and its fields."""
    for result in results:
        stream.write(to_json(result, stream) + "\n")
