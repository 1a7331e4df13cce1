"""The files of a model in, UserError out for those that are not worth opening.

Loading bounds what a file may do (tensors only), not what it may cost: a configuration of a few
bytes can ask for any amount of memory, and a compressed pickle can grow without end.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How files of torch.save before PyTorch 1.6 begin: its magic number, pickled."""
_MOST_LAYERS = 1_000
_SLACK = 2**30  # bytes
_SMALLEST = 8  # a weight takes four bytes in memory, and at least half a byte in a file


KNOWN_FILE = "unknown.safetensors"
"""Beside the weights of a model that tells texts of none of its classes: see known.py."""


def weight_files(folder: Path, pickled: str) -> list[Path]:
    """List the files of a model's weights: safetensors, and pickles only where there are none.

    pickled: pattern of the pickles' names
    """
    safe = (path for path in folder.glob("*.safetensors") if path.name != KNOWN_FILE)
    return sorted(safe) or sorted(folder.glob(pickled))


def check_files(files: Iterable[Path], setting: str) -> None:
    """Refuse weights that are no file of PyTorch or safetensors, before anything is unpickled.

    setting: the argument or recipe key that named the model, for error messages
    """
    for path in files:
        if path.is_file() and (fault := _fault(path)):
            raise UserError(f"{setting}: {path} {fault}. Copy it again.")


def _fault(path: Path) -> str | None:
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        return "is empty"
    if start.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the weights themselves (`git lfs pull` fetches them)"
    if path.suffix == ".safetensors":
        return None
    if start.startswith(b"PK"):
        return _archive_fault(path)
    if not start.startswith(_LEGACY):
        return (
            "is no weights file of PyTorch, and not opened, for a pickle could run code. Take "
            "weights in safetensors"
        )
    return None


def _archive_fault(path: Path) -> str | None:
    try:
        entries = zipfile.ZipFile(path).infolist()
    except (zipfile.BadZipFile, ValueError, OSError):
        return "is cut off or damaged"
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        return "is compressed, which PyTorch's own files never are"
    return None


def check_size(config: PreTrainedConfig, files: Iterable[Path], where: str) -> None:
    """Refuse a configuration that asks for far more weights than its files can hold.

    files: those of the weights
    where: what names the model, for error messages
    """
    layers = _number(config, "num_hidden_layers")
    if layers > _MOST_LAYERS:
        raise UserError(f"{where}: config.json asks for {layers:,} layers. Copy the model again.")
    hidden = _number(config, "hidden_size")
    layer = hidden * (4 * hidden + 2 * _number(config, "intermediate_size"))
    rows = _number(config, "vocab_size") + _number(config, "max_position_embeddings")
    width = _number(config, "embedding_size") or hidden
    wanted = 4 * (
        rows * width + layer * min(layers, _number(config, "num_hidden_groups") or layers)
    )
    stored = sum(path.stat().st_size for path in files)
    if wanted > _SMALLEST * stored + _SLACK:
        raise UserError(
            f"{where}: config.json asks for a model of some {wanted / 1e9:,.0f} GB, its files hold "
            f"{stored / 1e9:,.1f} GB. Copy the model again with all its files."
        )


def _number(config: PreTrainedConfig, name: str) -> int:
    value = getattr(config, name, 0)
    return value if isinstance(value, int) else 0
