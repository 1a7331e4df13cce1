"""Names of models and data in, what of them means the same on other machines out."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath


def is_local(name: str) -> bool:
    """Tell a path on this machine from a Hub id."""
    return (
        name.startswith((".", "/", "~"))
        or "\\" in name
        or PureWindowsPath(name).drive != ""
        or name.count("/") > 1
        or Path(name).exists()
    )


def short_name(path: str) -> str:
    """Return the last part of a path: what may be shown of it to other people."""
    if "\\" in path:
        return PureWindowsPath(path).name
    return Path(path).expanduser().name or Path(path).expanduser().resolve().name or "folder"
