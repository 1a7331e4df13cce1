"""A recipe in, fingerprints of all that its run reads out: to see later if it is still the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nlp_transfer.models.checkpoint import resolve_checkpoint
from nlp_transfer.recipe.paths import local_path
from nlp_transfer.records import Splits
from nlp_transfer.strategies.context import TransferRecipe

Read = dict[str, dict[str, Any]]
"""What was read, by its name in messages: {sha256}, with examples where they can be counted."""

FACTS_KEY = "facts"
"""Where data.json of a run keeps what its strategies and settings were chosen by."""
_OF_A_MODEL = ("config.json", "adapter_config.json", "tokenizer*.json", "vocab.*", "*.model")
_BLOCK = 2**20  # bytes read at a time


def what_is_read(
    recipe: TransferRecipe, splits: Splits, needed: Sequence[str], *, start: Path | None = None
) -> Read:
    """Fingerprint the data as it was read, and the local files and models beside it.

    splits: before any strategy changed them
    needed: the splits that the run uses
    start:  folder of the checkpoint, where it is known; a name on the Hub is not asked for again
    """
    read = _splits_read(splits, needed)
    for strategy in recipe.strategies:
        for key, other in strategy.reads_data(recipe).items():
            read |= {f"{key}, {name}": of for name, of in _splits_read(other, other).items()}
        for key, name in strategy.reads().items():
            read |= _file_read(f"strategies {strategy.name}: {key}", name)
    if recipe.data.unlabelled is not None:
        read |= _file_read("data.unlabelled", recipe.data.unlabelled)
    return read | checkpoint_read(recipe, start=start)


def _splits_read(splits: Splits, names: Iterable[str]) -> Read:
    return {
        f"{name} split": {"sha256": splits.fingerprints[name], "examples": len(splits[name])}
        for name in names
    }


def checkpoint_read(recipe: TransferRecipe, *, start: Path | None = None) -> Read:
    """Fingerprint the checkpoint, where it is known or lies on this machine.

    start: its folder, where it is known
    """
    return _file_read("model.checkpoint", recipe.model.checkpoint, start)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say what a run has read that is another now, a line each.

    before, now: what data.json holds
    """
    old, new = _all_read(before), _all_read(now)
    return [
        _change(name, read, new[name])
        for name, read in old.items()
        if name in new and new[name]["sha256"] != read["sha256"]
    ]


def _change(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    if "examples" not in old:
        return f"{name}: other content"
    counts = f"{old['examples']:,} examples then, {new['examples']:,} now"
    other = ", of other content" if old["examples"] == new["examples"] else ""
    return f"{name}: {counts}{other}"


def _all_read(data: Mapping[str, Any], of: str = "") -> Read:
    """Collect what a run and its side tasks have read.

    of: what to put before each name
    """
    read = {f"{of}{name}": value for name, value in _own_read(data).items()}
    for name, side in data.get("tasks", {}).items():
        read |= _all_read(side, f"{name}, ")
    return read


def _own_read(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what data.json says was read; before it said so, splits without additions were."""
    known: Mapping[str, Any] | None = data.get("read")
    if known is not None:
        return known
    return {
        f"{split} split": values
        for split, values in data["splits"].items()
        if not values.get("ledger", {}).get("examples_added")
    }


def _file_read(key: str, name: str, folder: Path | None = None) -> Read:
    files = _files_of(name, folder)
    return {key: {"sha256": _sha256(files)}} if files else {}


def _files_of(name: str, known: Path | None) -> list[Path]:
    """List the files behind a name; none for a name on the Hub.

    known: the folder that holds the model of this name
    """
    path = local_path(name)
    if path.is_file():
        return [path]
    if known is None and path.is_dir():
        known = resolve_checkpoint(name)
    return _model_files(known) if known else []


def _model_files(folder: Path) -> list[Path]:
    """List the files of a model that its predictions depend on."""
    weights = "*.safetensors" if any(folder.glob("*.safetensors")) else "*.bin"
    return [file for pattern in (weights, *_OF_A_MODEL) for file in sorted(folder.glob(pattern))]


def _sha256(files: Sequence[Path]) -> str:
    """Hash files by name and content."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()
