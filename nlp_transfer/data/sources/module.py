"""A function of the user's in (`data.source: my_module:load`), its rows out."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import SPLIT_NAMES

Read = Callable[[], Iterator[dict[str, Any]]]


def is_reference(source: str) -> bool:
    """Tell `package.module:function` from a path or a Hub id."""
    return bool(re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", source))


def open_splits(data: DataSection) -> Iterator[tuple[str, Read]]:
    """Call the function: it returns a mapping of split name to an iterable of rows (dicts)."""
    module_name, _, function_name = data.source.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)  # the module usually lies beside the recipe
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"data.source: {data.source!r} cannot be imported: {error}.") from None
    finally:
        sys.path.remove(here)
    found = function()
    if not isinstance(found, dict):
        raise UserError(
            f"data.source: {data.source} returned {type(found).__name__}; it must return a dict of "
            "split name to rows, such as {'train': [{'tokens': [...], 'tags': [...]}]}."
        )
    for split in SPLIT_NAMES:
        theirs = data.splits.get(split, split)
        if theirs is None or (theirs not in found and split not in data.splits):
            continue
        if theirs not in found:
            raise UserError(
                f"data.splits.{split}: {data.source} has no split {theirs!r} ({', '.join(found)})."
            )
        yield split, _reader(found[theirs], f"{data.source} {theirs}")


def _reader(rows: Any, where: str) -> Read:
    def read() -> Iterator[dict[str, Any]]:
        for index, row in enumerate(rows):
            yield {**row, "where": f"{where} row {index}"}

    return read
