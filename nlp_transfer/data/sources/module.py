"""A function of the user's in (`data.source: my_module:load`), its rows out."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from nlp_transfer.data.formats.base import ROW_KEYS
from nlp_transfer.data.raw import RawRow, RawSplit
from nlp_transfer.data.sources.choosing import chosen_splits
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.recipe.paths import is_module_reference

KIND = "function"

_BESIDE_A_RUNS_RECIPE = ("environment.json", "data.json", "metrics.json", "model", "config.json")


def check_runs_no_code(recipe: Path, source: str) -> None:
    """Refuse to import a module because a recipe in a run folder says so.

    recipe: the file; one that lies beside what only runs write is a run's, perhaps a stranger's
    source: its `data.source`
    """
    is_of_run = any((recipe.parent / name).exists() for name in _BESIDE_A_RUNS_RECIPE)
    if recipe.name == "recipe.yaml" and is_of_run and is_module_reference(source):
        raise UserError(
            f"{recipe}: data.source {source!r} is code, which is not run for a recipe in a run "
            "folder, for it may be a stranger's. If you know the code, copy recipe.yaml to a place "
            "of your own and name it: --recipe COPY.yaml"
        )


def open_splits(data: DataSection) -> Iterator[RawSplit]:
    """Call the function: it returns a mapping of split name to an iterable of rows (dicts)."""
    module_name, _, function_name = data.source.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)  # the module usually lies beside the recipe
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"data.source: {data.source!r} cannot be imported: {error}. Modules are looked for in "
            f"the working folder ({here}) and on PYTHONPATH: run in the folder that "
            f"{module_name.split('.')[0]} lies in."
        ) from None
    finally:
        sys.path.remove(here)
    found = _called(function, data.source)
    if not isinstance(found, Mapping):
        raise UserError(
            f"data.source: {data.source} returned {type(found).__name__}; it must return a dict of "
            "split name to rows, such as {'train': [{'tokens': [...], 'tags': [...]}]}."
        )
    for split, names in chosen_splits(data, list(found), data.source):
        yield RawSplit(
            name=split,
            read=partial(_rows, [(name, found[name]) for name in names], data.source),
            place=data.source,
            kind=KIND,
            keys=ROW_KEYS,
        )


def _called(function: Callable[[], Any], source: str) -> Any:
    try:
        return function()
    except Exception as error:
        raise _failure(source, error) from error


def _failure(source: str, error: Exception) -> UserError:
    """Tell the user where the user's own function failed."""
    if isinstance(error, UserError):
        return error
    place = traceback.extract_tb(error.__traceback__)[-1]
    return UserError(
        f"data.source: {source} failed in {place.filename}:{place.lineno}: "
        f"{type(error).__name__}: {error}"
    )


def _rows(parts: Sequence[tuple[str, Any]], source: str) -> Iterator[RawRow]:
    for name, rows in parts:
        where = f"{source} {name}"
        try:
            for index, row in enumerate(rows):
                if not isinstance(row, Mapping):
                    raise UserError(
                        f"{where} row {index}: a row is a dict of columns, found {row!r:.60}."
                    )
                yield RawRow(f"{where} row {index}", row)
        except Exception as error:
            raise _failure(where, error) from error
