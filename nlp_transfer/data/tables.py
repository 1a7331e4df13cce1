"""A stream of rows in, a `Dataset` on disk out: memory does not grow with the data."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

_ROWS_A_BATCH = 1000


def write_table(rows: Iterable[Mapping[str, Any]], schema: Any) -> Dataset:
    """Write rows to an Arrow file that lives as long as the process, and map it.

    schema: a pyarrow schema; integers in it may be narrower than Python's
    """
    import pyarrow as pa
    from datasets import Dataset

    with tempfile.NamedTemporaryFile(suffix=".arrow", dir=_scratch().name, delete=False) as file:
        stream = iter(rows)
        with pa.ipc.new_stream(file, schema) as writer:
            while batch := list(islice(stream, _ROWS_A_BATCH)):
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
    return Dataset.from_file(file.name)


def iterate(table: Dataset, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Go through a table row by row, reading it in batches."""
    chosen = table.select_columns(columns) if columns else table
    for batch in chosen.iter(batch_size=_ROWS_A_BATCH):
        names = list(batch)
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(names, values, strict=True))


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Make the process's folder for tables; it goes when the process does."""
    return tempfile.TemporaryDirectory(prefix="nlp_transfer-", ignore_cleanup_errors=True)
