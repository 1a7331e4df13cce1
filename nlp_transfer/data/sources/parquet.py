"""Parquet in, one row a record out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlp_transfer.errors import UserError


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Read the records of a file, in batches."""
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        number = 0
        for batch in file.iter_batches():
            for record in batch.to_pylist():
                yield {**record, "where": f"{path}: row {number}"}
                number += 1
    except pyarrow.ArrowInvalid as error:
        raise UserError(f"{path}: this is not a Parquet file: {error}.") from None
