"""The recipes that come with the package, and the files that start them on clusters."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def shipped_recipes() -> dict[str, Path]:
    """Find the recipes that come with the package, by name."""
    return {path.stem: path for path in sorted(_folder().glob("*.yaml"))}


def launch_files() -> dict[str, Path]:
    """Find what starts runs on clusters (docs/clusters.md), by folder and name: slurm/nodes.sh."""
    folder = _folder()
    kinds = (".yaml", ".sh")
    found = sorted(path for path in folder.glob("*/*") if path.suffix in kinds)
    return {path.relative_to(folder).as_posix(): path for path in found}


def _folder() -> Path:
    packaged = Path(str(files("nlp_transfer") / "recipes"))
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "recipes"
