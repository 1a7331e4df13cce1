"""Items in, checked; the results of a model out, as they are made."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

from nlp_transfer.data.formats.results import Result

log = logging.getLogger(__name__)

_MANY = 10
"""Texts among which a model that fits them finds something."""


class Results(Iterator[dict[str, Any]]):
    """One result an item, in order and once: a million texts are never in memory together."""

    def __init__(self, stream: Iterator[dict[str, Any]]) -> None:
        self._stream = stream

    def __next__(self) -> dict[str, Any]:
        return next(self._stream)

    def __getitem__(self, key: object) -> NoReturn:
        """Say how to have results by number."""
        raise TypeError(
            "results come one by one, as they are made: list(predictor(texts))[0] has them all, "
            "next(predictor(texts)) the first"
        )


def check_is_list(items: object) -> None:
    """Raise TypeError for one item in place of a list of them, and for what is no list at all."""
    if type(items).__name__ == "DataFrame":  # it would give the names of its columns
        raise TypeError('give the rows of a DataFrame: predictor(frame.to_dict("records"))')
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise TypeError(
            f"give a list of texts, as predictor([text]), not one {type(items).__name__}"
        )


def watched(results: Iterable[Result]) -> Iterator[Result]:
    """Hand results on, counted on a terminal; say where entities were asked for and none found."""
    from tqdm.auto import tqdm

    texts = found = 0
    for result in tqdm(results, unit="text", disable=not sys.stderr.isatty()):
        texts += 1
        found += bool(result.get("entities", True))
        yield result
    if texts >= _MANY and not found:
        log.warning("no entity was found in %d texts: is this the model for them?", texts)
