"""A stream of rows in, a `Dataset` on disk out: memory does not grow with the data."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

_ROWS_A_BATCH = 1000


def write_table(
    rows: Iterable[Mapping[str, Any]], schema: Any, *, folder: str | None = None
) -> Dataset:
    """Write rows to an Arrow file and map it.

    schema: a pyarrow schema; integers in it may be narrower than Python's
    folder: where the file lies; by default in one that lives as long as the process
    """
    import pyarrow as pa
    from datasets import Dataset

    with tempfile.NamedTemporaryFile(
        suffix=".arrow", dir=folder or scratch_folder(), delete=False
    ) as file:
        stream = iter(rows)
        with pa.ipc.new_stream(file, schema) as writer:
            while batch := list(islice(stream, _ROWS_A_BATCH)):
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
    return Dataset.from_file(file.name)


def integer_lists(rows: Iterable[Mapping[str, Any]], *, folder: str | None = None) -> Dataset:
    """Write rows of integers and lists of integers, in 32 bits, to a table like `write_table`."""
    import pyarrow as pa

    stream = iter(rows)
    first = next(stream, None)
    if first is None:
        return write_table([], pa.schema([]), folder=folder)
    kinds = {
        name: pa.list_(pa.int32()) if isinstance(value, list) else pa.int32()
        for name, value in first.items()
    }
    return write_table(chain([first], stream), pa.schema(list(kinds.items())), folder=folder)


def iterate(table: Dataset, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Go through a table row by row, reading it in batches."""
    for batch in batches(table, columns):
        names = list(batch)
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(names, values, strict=True))


def batches(table: Dataset, columns: list[str] | None = None) -> Iterator[dict[str, list[Any]]]:
    """Go through a table in batches of columns.

    A table that is a whole file is read, not mapped: mapped pages stay in memory once touched.
    """
    import pyarrow as pa

    path = _whole_file(table)
    if path is None:
        chosen = table.select_columns(columns) if columns else table
        yield from chosen.iter(batch_size=_ROWS_A_BATCH)
        return
    with pa.OSFile(path) as file:
        for batch in pa.ipc.open_stream(file):
            yield batch.select(columns or table.column_names).to_pydict()


def fingerprint(table: Dataset) -> str:
    """Hash what a model can learn from; not where it lies, so that data may move."""
    digest = hashlib.sha256()
    content = [name for name in table.column_names if name not in ("where", "id")]
    for batch in batches(table, content):
        digest.update(
            json.dumps(batch, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")
        )
    return digest.hexdigest()


def _whole_file(table: Dataset) -> str | None:
    """Name the file that holds exactly this table, if there is one."""
    import pyarrow as pa

    files = table.cache_files
    if len(files) != 1 or not files[0]["filename"].startswith(scratch_folder()):
        return None
    path = files[0]["filename"]
    with pa.memory_map(path) as file:  # counts rows by the batches' headers
        count = sum(batch.num_rows for batch in pa.ipc.open_stream(file))
    is_whole = count == len(table) and table._indices is None
    return path if is_whole else None


def cache_folder() -> Path:
    """Return where later runs find data: $NLPT_CACHE, or nlp_transfer in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("NLPT_CACHE") or Path(base, "nlp_transfer")).expanduser()


def scratch_folder() -> str:
    """Name the process's own folder for tables; it goes when the process does."""
    return _scratch().name


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="nlp_transfer-", ignore_cleanup_errors=True)
