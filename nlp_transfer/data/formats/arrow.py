"""Parquet and Arrow files: a record a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.formats.base import ROW_KEYS, Format
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

if TYPE_CHECKING:
    from pyarrow import RecordBatch

_ROWS_A_BATCH = 1000  # a value that is stored once may stand in every row


def _read_parquet(file: DataFile, data: DataSection, *, annotated: bool) -> Iterator[RawRow]:
    """Read the records of a Parquet file, in batches."""
    import pyarrow.parquet as pq

    def batches() -> Iterator[RecordBatch]:
        yield from pq.ParquetFile(file.begin()).iter_batches(_ROWS_A_BATCH)

    yield from _records(file.path, batches, "a Parquet file")


def _read_arrow(file: DataFile, data: DataSection, *, annotated: bool) -> Iterator[RawRow]:
    """Read the records of an Arrow file, of the stream or the random access format."""
    import pyarrow as pa

    def batches() -> Iterator[RecordBatch]:
        if file.begin().read(6) == b"ARROW1":
            reader = pa.ipc.open_file(file.begin())
            yield from (reader.get_batch(n) for n in range(reader.num_record_batches))
        else:
            yield from pa.ipc.open_stream(file.begin())

    yield from _records(file.path, batches, "an Arrow file")


def _label_names(file: DataFile) -> dict[str, tuple[str, ...]]:
    """Find the names of integer labels that `datasets` keeps in a Parquet file, by column."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Features

    try:
        return label_names(Features.from_arrow_schema(pq.read_schema(file.begin())))
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        return {}  # reading its rows tells what is wrong


def label_names(features: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Find the columns of ClassLabel, or lists of it, and their names."""
    from datasets import ClassLabel

    inner = {name: getattr(feature, "feature", feature) for name, feature in features.items()}
    return {
        name: tuple(feature.names)
        for name, feature in inner.items()
        if isinstance(feature, ClassLabel)
    }


def _records(
    path: Path, batches: Callable[[], Iterator[RecordBatch]], kind: str
) -> Iterator[RawRow]:
    import pyarrow as pa

    number = 0
    try:
        for batch in batches():
            batch.validate(full=True)  # offsets of a damaged file may point anywhere
            _check_names(batch.schema.names, path)
            for record in batch.to_pylist():
                yield RawRow(f"{path}: row {number}", record)
                number += 1
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: row {number} or after: a string is not UTF-8: {error}.") from None
    except (pa.ArrowException, OSError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: this is not {kind}, or it is damaged: {reason}") from None
    except (ValueError, OverflowError) as error:  # a time beyond Python's, for one
        raise UserError(
            f"{path}: row {number} or after: a value cannot be read: {error}. Leave out columns "
            "that are not needed."
        ) from None


def _check_names(names: list[str], path: Path) -> None:
    """Refuse columns of one name, of which a row would hold the last."""
    if len(set(names)) < len(names):
        ((twice, _),) = Counter(names).most_common(1)
        raise UserError(f"{path}: the column {twice!r} stands twice. Rename one.")


PARQUET = Format(
    name="parquet",
    recognises=lambda look: look.head.startswith(b"PAR1"),
    extensions=(".parquet",),
    keys=ROW_KEYS,
    read=_read_parquet,
    label_names=_label_names,
)
ARROW = Format(
    name="arrow",
    recognises=lambda look: look.head.startswith(b"ARROW1"),
    extensions=(".arrow",),
    keys=ROW_KEYS,
    read=_read_arrow,
)
