"""A stream of rows in, a `Dataset` on disk out: memory does not grow with the data."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_transfer.processes.scratch import scratch_folder

if TYPE_CHECKING:
    import pyarrow
    from datasets import Dataset

_ROWS_A_BATCH = 1000


def write_table(
    rows: Iterable[Mapping[str, Any]], schema: pyarrow.Schema, *, folder: str | None = None
) -> Dataset:
    """Write rows to an Arrow file and map it.

    schema: a pyarrow schema; integers in it may be narrower than Python's
    folder: where the file lies; by default in one that lives as long as the process
    """
    (table,) = write_tables(rows, schema, folder=folder)
    return table


def write_tables(
    rows: Iterable[Mapping[str, Any]], *schemas: pyarrow.Schema, folder: str | None = None
) -> list[Dataset]:
    """Write each row's columns to several Arrow files, as each schema names them."""
    import pyarrow as pa
    from datasets import Dataset

    stream = iter(rows)
    with ExitStack() as stack:
        new_file = partial(
            tempfile.NamedTemporaryFile,
            suffix=".arrow",
            dir=folder or scratch_folder(),
            delete=False,
        )
        files = [stack.enter_context(new_file()) for _ in schemas]
        writers = [
            stack.enter_context(pa.ipc.new_stream(file, schema))
            for file, schema in zip(files, schemas, strict=True)
        ]
        while batch := list(islice(stream, _ROWS_A_BATCH)):
            for writer, schema in zip(writers, schemas, strict=True):
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
    return [Dataset.from_file(file.name) for file in files]


def beside(*tables: Dataset) -> Dataset:
    """Put the columns of tables beside each other, row by row."""
    from datasets import concatenate_datasets

    return concatenate_datasets(list(tables), axis=1)


def number_lists(rows: Iterable[Mapping[str, Any]], *, folder: str | None = None) -> Dataset:
    """Write rows of numbers and lists of numbers, in 32 bits, to a table like `write_table`.

    A column holds fractions where the first row has one.
    """
    import pyarrow as pa

    stream = iter(rows)
    first = next(stream, None)
    if first is None:
        return write_table([], pa.schema([]), folder=folder)
    kinds = []
    for name, value in first.items():
        numbers = value if isinstance(value, list) else [value]
        kind = pa.float32() if any(isinstance(n, float) for n in numbers) else pa.int32()
        kinds.append((name, pa.list_(kind) if isinstance(value, list) else kind))
    return write_table(chain([first], stream), pa.schema(kinds), folder=folder)


def iterate(table: Dataset, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Go through a table row by row, reading it in batches."""
    for batch in batches(table, columns):
        names = list(batch)
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(names, values, strict=True))


def batches(table: Dataset, columns: list[str] | None = None) -> Iterator[dict[str, list[Any]]]:
    """Go through a table in batches of columns.

    A table of whole files is read, not mapped: mapped pages stay in memory once touched.
    """
    import pyarrow as pa

    paths = _whole_files(table)
    if not paths:
        chosen = table.select_columns(columns) if columns else table
        yield from chosen.iter(batch_size=_ROWS_A_BATCH)
        return
    names = columns or table.column_names
    with ExitStack() as stack:
        streams = [pa.ipc.open_stream(stack.enter_context(pa.OSFile(path))) for path in paths]
        for parts in zip(*streams, strict=True):
            found = {name: part[name] for part in parts for name in part.schema.names}
            yield {name: found[name].to_pylist() for name in names}


def fingerprint(table: Dataset) -> str:
    """Hash what a model can learn from; not where it lies, so that data may move."""
    digest = hashlib.sha256()
    content = [name for name in table.column_names if name not in ("where", "id", "slices")]
    for batch in batches(table, content):
        digest.update(
            json.dumps(batch, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")
        )
    return digest.hexdigest()


def _whole_files(table: Dataset) -> list[str]:
    """Name the files that hold exactly this table, its columns side by side, if there are any."""
    import pyarrow as pa

    paths = [file["filename"] for file in table.cache_files]
    if table._indices is not None:
        return []
    for path in paths:
        if not path.startswith(scratch_folder()):
            return []
        with pa.memory_map(path) as file:  # counts rows by the batches' headers
            if sum(batch.num_rows for batch in pa.ipc.open_stream(file)) != len(table):
                return []
    return paths


def cache_folder() -> Path:
    """Return where later runs find data: $NLPT_CACHE, or nlp_transfer in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("NLPT_CACHE") or Path(base, "nlp_transfer")).expanduser()
