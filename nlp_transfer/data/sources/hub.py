"""A data set of the Hub in, its splits and the names of its integer labels out."""

from __future__ import annotations

import glob
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.data.columns import declared_names
from nlp_transfer.data.formats.arrow import label_names
from nlp_transfer.data.formats.base import ROW_KEYS
from nlp_transfer.data.raw import RawRow, RawSplit
from nlp_transfer.data.sources.choosing import chosen_splits
from nlp_transfer.errors import UserError, nearest, shortened
from nlp_transfer.files import write_json
from nlp_transfer.hub.asking import asking, repo_info
from nlp_transfer.hub.faults import HubError, explaining_faults, not_cached
from nlp_transfer.hub.offline import offline
from nlp_transfer.recipe import DataSection

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)

KIND = "data set of the Hub"
KEYS = ROW_KEYS | {"config", "revision", "streaming"}


def open_splits(data: DataSection) -> Iterator[RawSplit]:
    """Download a data set and open its splits.

    `data.splits` renames splits; values that contain a dot or a slash are files of the repository.
    No loading script is ever run.
    raises: UserError when the Hub cannot be reached, or has no such repository, config or split
    """
    yield from named_splits(_load(data), data, data.source, KIND, KEYS)


def named_splits(
    theirs: Mapping[str, Dataset], data: DataSection, source: str, kind: str, keys: frozenset[str]
) -> Iterator[RawSplit]:
    """Map loaded `Dataset`s to our splits, with the names of their integer labels."""
    names_only = data.model_copy(
        update={"splits": {s: s if _is_file(name) else name for s, name in data.splits.items()}}
    )
    for split, names in chosen_splits(names_only, list(theirs), source, all_or_told=False):
        parts = [(name, theirs[name]) for name in names]
        declared = (label_names(part.features or {}) for _, part in parts)
        yield RawSplit(
            name=split,
            read=partial(_rows, parts, source),
            label_names=next(filter(None, (declared_names(data, d) for d in declared)), None),
            place=source,
            kind=kind,
            keys=keys,
        )


def _is_file(name: str | None) -> bool:
    return bool(name) and ("." in str(name) or "/" in str(name))


def _load(data: DataSection) -> dict[str, Dataset]:
    """Load a data set, or what an earlier run loaded when the Hub cannot be reached."""
    files = {str(split): str(name) for split, name in data.splits.items() if _is_file(name)}
    try:
        info = repo_info(data.source, "dataset", data.revision, "data.source")
    except HubError as fault:
        if not fault.away:
            raise
        return _recalled(data, files, fault)
    _check_files(data, files, [file.rfilename for file in info.siblings or []])
    theirs = _loaded(data, files, commit=info.sha)
    if data.streaming:
        return theirs
    other = _commits(theirs) - {info.sha}
    if other:  # load_dataset answers a fault of the repository with any other copy in its cache
        raise UserError(
            f"data.source: {data.source} does not load at commit {info.sha}. Another one is in "
            f"the local cache; to use it: data.revision={min(other)}"
        )
    _remember(data, files, theirs)
    return theirs


def _commits(splits: dict[str, Dataset]) -> set[str]:
    """Find out what was really loaded: the cache keeps each commit in a folder of its name."""
    return {
        Path(file["filename"]).parent.name for rows in splits.values() for file in rows.cache_files
    }


def _check_files(data: DataSection, files: dict[str, str], found: list[str]) -> None:
    script = f"{data.source.split('/')[-1]}.py"
    if script in found:
        raise UserError(
            f"data.source: {data.source} is a loading script ({script}), and no script is ever "
            "run. Try the Hub's own conversion of it: data.revision=refs/convert/parquet"
        )
    for split, name in files.items():
        if name not in found and not glob.has_magic(name):
            raise UserError(
                f"data.splits.{split}: {data.source} has no file {name!r}.{nearest(name, found)} "
                f"Found: {shortened(sorted(found))}."
            )


def _loaded(data: DataSection, files: dict[str, str], *, commit: str) -> dict[str, Dataset]:
    import datasets
    from datasets.exceptions import DatasetsError

    def load() -> dict[str, Dataset]:
        return dict(
            datasets.load_dataset(
                data.source,
                data.config,
                revision=commit,
                data_files=files or None,
                streaming=data.streaming,
            )
        )

    try:
        return asking(load, data.source, "data.source")
    except (DatasetsError, ValueError, RuntimeError, OSError) as error:
        _check_config(data, commit=commit)
        cause = error.__cause__ or error  # "An error occurred" says nothing, its cause does
        raise UserError(f"data.source: {data.source} does not load: {cause}") from None


def _check_config(data: DataSection, *, commit: str) -> None:
    """Say which configurations there are, if the fault lies there."""
    import datasets

    def names() -> list[str]:
        return list(datasets.get_dataset_config_names(data.source, revision=commit))

    try:
        known = asking(names, data.source, "data.source")
    except Exception as error:
        log.debug("%s: its configurations cannot be told: %s", data.source, error)
        return  # the fault lies deeper; the first error tells it
    if data.config is None and len(known) > 1 and "default" not in known:
        raise UserError(
            f"data.config: {data.source} has several configurations ({shortened(known)}). "
            "Choose one with data.config=NAME."
        )
    if data.config is not None and data.config not in known:
        raise UserError(
            f"data.config: {data.source} has no configuration {data.config!r} "
            f"({shortened(known)}).{nearest(data.config, known)}"
        )


def _note(data: DataSection, files: dict[str, str]) -> Path:
    """Name the file that tells where the rows of a data set lie, by all that chooses them."""
    import datasets

    key = json.dumps([data.source, data.config, data.revision, files], sort_keys=True)
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    return Path(datasets.config.HF_DATASETS_CACHE, "nlp_transfer", f"{name}.json")


def _remember(data: DataSection, files: dict[str, str], splits: dict[str, Dataset]) -> None:
    """Note where the rows lie, for a run without the network.

    The cache of `datasets` finds its own copies again by the config alone: whatever the revision,
    and never those of chosen files.
    """
    arrows = {
        name: [file["filename"] for file in rows.cache_files] for name, rows in splits.items()
    }
    if not all(arrows.values()):
        return  # kept in memory, by the user's setting
    note = _note(data, files)
    note.parent.mkdir(parents=True, exist_ok=True)
    write_json(note, arrows)


def _recalled(data: DataSection, files: dict[str, str], fault: HubError) -> dict[str, Dataset]:
    import datasets
    from huggingface_hub import snapshot_download

    try:
        arrows = json.loads(_note(data, files).read_text(encoding="utf-8"))
        return {
            split: datasets.concatenate_datasets([datasets.Dataset.from_file(p) for p in paths])
            for split, paths in arrows.items()
        }
    except FileNotFoundError:
        if files:
            raise not_cached(data.source, "data.source", fault) from None
    try:  # perhaps another program has loaded it
        folder = snapshot_download(
            data.source, repo_type="dataset", revision=data.revision, local_files_only=True
        )
        with offline():
            theirs = dict(datasets.load_dataset(data.source, data.config))
    except (ValueError, OSError):
        raise not_cached(data.source, "data.source", fault) from None
    if _commits(theirs) - {Path(folder).name}:
        raise not_cached(data.source, "data.source", fault)
    return theirs


def _rows(parts: Sequence[tuple[str, Dataset]], source: str) -> Iterator[RawRow]:
    for name, rows in parts:
        with explaining_faults(source, "data.source"):  # streamed rows are fetched here
            for index, row in enumerate(rows):
                yield RawRow(f"{source} {name} row {index}", row)
