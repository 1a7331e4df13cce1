"""A data section in, normalised splits out: the door through which all labelled text comes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.columns import RowReader
from nlp_transfer.data.sources import RawSplit, open_source
from nlp_transfer.data.splitting import hold_out
from nlp_transfer.data.tags import Scheme, detect_scheme, split_tag, to_iob2
from nlp_transfer.errors import UserError, nearest
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import SPLIT_NAMES, Splits

if TYPE_CHECKING:
    from datasets import Dataset

_ROWS_A_BATCH = 10_000


def load_ner(data: DataSection, *, types: tuple[str, ...] | None) -> Splits:
    """Load word-level data and convert its tags to IOB2.

    types: declared entity types, in their order; None takes them from the source
    """
    import datasets as hf

    raw = open_source(data)
    features = hf.Features(
        words=hf.List(hf.Value("string")),
        tags=hf.List(hf.Value("string")),
        document=hf.Value("string"),
    )
    tables = {
        split.name: _table(split, RowReader(data, split.label_names).ner, features) for split in raw
    }
    repairs: dict[str, int] = {}
    for name, table in tables.items():
        # Told apart file by file: one corpus may keep its development set in another scheme.
        scheme = detect_scheme(_column(table, "tags")) if data.scheme == "auto" else data.scheme
        tables[name], repairs[name] = _converted(table, scheme)
    found = {
        split_tag(tag)[1]
        for table in tables.values()
        for tags in _column(table, "tags")
        for tag in tags
    } - {""}
    return _finished(
        tables,
        data,
        _declared(types, _label_names(data, raw), _types_of, found, "task.types"),
        repairs,
    )


def load_classification(
    data: DataSection, *, classes: tuple[str, ...] | None, multi_label: bool
) -> Splits:
    """Load texts and their labels.

    classes: declared class names, in their order; None takes them from the source
    """
    import datasets as hf

    raw = open_source(data)
    features = hf.Features(
        text=hf.Value("string"),
        text_pair=hf.Value("string"),
        labels=hf.List(hf.Value("string")),
        document=hf.Value("string"),
    )

    def reading(split: RawSplit) -> Callable[[dict[str, Any]], dict[str, Any]]:
        reader = RowReader(data, split.label_names)
        return lambda row: reader.classification(row, multi_label=multi_label)

    tables = {split.name: _table(split, reading(split), features) for split in raw}
    found = {
        name
        for table in tables.values()
        for names in _column(table, "labels")
        for name in names or ()
    }
    return _finished(
        tables, data, _declared(classes, _label_names(data, raw), tuple, found, "task.classes"), {}
    )


def _table(
    split: RawSplit, read: Callable[[dict[str, Any]], dict[str, Any]], features: Any
) -> Dataset:
    """Read a split into an Arrow-backed Dataset, batch by batch."""
    import datasets as hf
    import pyarrow as pa

    rows = (read(raw) for raw in split.read())
    schema = features.arrow_schema
    batches = iter(lambda: list(islice(rows, _ROWS_A_BATCH)), [])
    record_batches = [pa.RecordBatch.from_pylist(batch, schema=schema) for batch in batches]
    return hf.Dataset(pa.Table.from_batches(record_batches, schema=schema))


def _column(table: Dataset, name: str) -> Iterator[Any]:
    """Go through one column without holding it as Python objects."""
    for batch in table.select_columns([name]).iter(batch_size=_ROWS_A_BATCH):
        yield from batch[name]


def _converted(table: Dataset, scheme: Scheme) -> tuple[Dataset, int]:
    import datasets as hf
    import pyarrow as pa

    repairs = 0
    columns = []
    for batch in table.select_columns(["tags"]).iter(batch_size=_ROWS_A_BATCH):
        converted = [to_iob2(tags, scheme) for tags in batch["tags"]]
        repairs += sum(count for _, count in converted)
        columns.append(pa.array([tags for tags, _ in converted], pa.list_(pa.string())))
    plain = table.data.table
    position = plain.schema.get_field_index("tags")
    tags = pa.chunked_array(columns, type=pa.list_(pa.string()))
    return hf.Dataset(plain.set_column(position, plain.schema.field(position), tags)), repairs


def _types_of(tag_names: Iterable[str]) -> tuple[str, ...]:
    """List the types among declared tag names, in their first order: O B-PER I-PER -> PER."""
    return tuple(
        dict.fromkeys(entity_type for _, entity_type in map(split_tag, tag_names) if entity_type)
    )


def _label_names(data: DataSection, raw: list[RawSplit]) -> tuple[str, ...]:
    """Name what integer labels stand for: by the recipe, else by the source, else not at all."""
    return data.label_names or next((s.label_names for s in raw if s.label_names), ())


def _declared(
    wanted: tuple[str, ...] | None,
    names: tuple[str, ...],
    of_names: Callable[[Iterable[str]], tuple[str, ...]],
    found: set[str],
    setting: str,
) -> tuple[str, ...]:
    """Choose the labels and their order: the recipe's, the source's, or those found, sorted."""
    if wanted is not None:
        unknown = sorted(found - set(wanted))
        if unknown:
            raise UserError(
                f"{setting}: the data has {unknown[0]!r}, the recipe declares {', '.join(wanted)}."
                f"{nearest(unknown[0], wanted)} Fix the data, or add it to {setting}."
            )
        return wanted
    declared = of_names(names)
    return (*declared, *sorted(found - set(declared)))


def _finished(
    tables: dict[str, Dataset], data: DataSection, labels: tuple[str, ...], repairs: dict[str, int]
) -> Splits:
    splits = _with_held_out(tables, data)
    return Splits(
        datasets={name: splits[name] for name in SPLIT_NAMES if name in splits},
        labels=labels,
        fingerprints={name: _fingerprint(table) for name, table in splits.items()},
        repairs=repairs,
    )


def _with_held_out(tables: dict[str, Dataset], data: DataSection) -> dict[str, Dataset]:
    """Split off from train what the source does not have."""
    splits = dict(tables)
    if "train" not in splits:
        return splits  # enough for `nlpt evaluate`; training checks for itself
    count = len(splits["train"])
    shares = {"test": data.test_share, "validation": data.validation_share}
    for name, share in shares.items():
        if name not in splits:
            left = len(splits["train"]) / max(1, count)  # shares are of what the source gave
            splits["train"], splits[name] = hold_out(
                splits["train"], min(share / left, 0.9), seed=data.split_seed, split=name
            )
    return splits


def _fingerprint(table: Dataset) -> str:
    digest = hashlib.sha256()
    for batch in table.iter(batch_size=_ROWS_A_BATCH):
        digest.update(
            json.dumps(batch, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")
        )
    return digest.hexdigest()
