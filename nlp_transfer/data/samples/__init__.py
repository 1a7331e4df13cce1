"""The corpora that come with the package: written for this project, CC0."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from nlp_transfer.errors import UserError, nearest


def sample_folder(source: str) -> Path:
    """Find an embedded corpus by its name, such as samples/newsroom."""
    root = Path(str(files("nlp_transfer.data.samples")))
    names = sorted(f"samples/{path.name}" for path in root.iterdir() if path.is_dir() and not path.name.startswith("_"))
    if source not in names:
        raise UserError(
            f"data.source: {source!r} is not an embedded corpus ({', '.join(names)})."
            f"{nearest(source, names)}"
        )
    return root / source.removeprefix("samples/")
