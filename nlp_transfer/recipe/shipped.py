"""The recipes that come with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def shipped_recipes() -> dict[str, Path]:
    """Find the recipes that come with the package, by name."""
    packaged = Path(str(files("nlp_transfer") / "recipes"))
    folder = packaged if packaged.is_dir() else Path(__file__).parents[2] / "recipes"
    return {path.stem: path for path in sorted(folder.rglob("*.yaml"))}
