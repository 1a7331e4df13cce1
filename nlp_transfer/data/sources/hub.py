"""A data set of the Hub in, its splits and the names of its integer labels out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from nlp_transfer.data.columns import CANDIDATES
from nlp_transfer.errors import UserError
from nlp_transfer.hub import repo_info, unreachable
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import SPLIT_NAMES

Read = Callable[[], Iterator[dict[str, Any]]]


def open_splits(data: DataSection) -> Iterator[tuple[str, Read, tuple[str, ...] | None]]:
    """Download a data set and open its splits.

    `data.splits` renames splits; values that contain a dot or a slash are files of the repository.
    No loading script is ever run.
    raises: UserError when the Hub cannot be reached, or has no such repository, config or split
    """
    info = repo_info(data.source, "dataset", data.revision, "data.source")
    theirs = _load(data, pinned=info.sha if info else data.revision)
    for split in SPLIT_NAMES:
        name = data.splits.get(split, split)
        if name is None:
            continue
        found = theirs.get(split) if _is_file(name) else theirs.get(name)
        if found is None and split not in data.splits:
            continue
        if found is None:
            raise UserError(
                f"data.splits.{split}: {data.source} has no split {name!r} ({', '.join(theirs)})."
            )
        yield split, _reader(found, f"{data.source} {name}"), _label_names(found, data)


def _is_file(name: str | None) -> bool:
    return bool(name) and ("." in str(name) or "/" in str(name))


def _load(data: DataSection, *, pinned: str | None) -> Any:
    import datasets

    files = {split: name for split, name in data.splits.items() if _is_file(name)}
    try:
        return datasets.load_dataset(
            data.source, data.config, revision=pinned, data_files=files or None
        )
    except ConnectionError:
        raise unreachable(data.source, "data.source") from None
    except (ValueError, RuntimeError, FileNotFoundError) as error:
        raise UserError(f"data.source: {data.source} does not load: {error}") from None


def _reader(rows: Any, where: str) -> Read:
    def read() -> Iterator[dict[str, Any]]:
        for index, row in enumerate(rows):
            yield {**row, "where": f"{where} row {index}"}

    return read


def _label_names(split: Any, data: DataSection) -> tuple[str, ...] | None:
    """Find the names of a ClassLabel among the columns that hold tags or labels."""
    import datasets

    given = [data.columns[role] for role in ("tags", "label") if role in data.columns]
    # As the rows are read: conll2003 has named part-of-speech tags before its named entity tags.
    for column in given or (*CANDIDATES["tags"], *CANDIDATES["label"]):
        feature = split.features.get(str(column))
        inner = getattr(feature, "feature", feature)
        if isinstance(inner, datasets.ClassLabel):
            return tuple(inner.names)
    return None
