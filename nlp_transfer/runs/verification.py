"""A run folder in; of every file in it, whether it is as it was written, out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_transfer.errors import UserError
from nlp_transfer.manifest import MANIFEST, Listed, read_manifest
from nlp_transfer.runs.contents import KEPT
from nlp_transfer.runs.run_folder import RunFolder

AS_WRITTEN, DAMAGED, UNKNOWN, OTHER = "as written", "damaged", "not verifiable", "not listed"
"""What a file may be found to be. Not verifiable is what a finished run keeps and no manifest
lists; not listed is what trackers, users, and runs that are not finished put beside it."""


@dataclass(frozen=True)
class FoundFile:
    """What is found of a file."""

    status: str
    damage: str | None = None
    """What is not as it was written."""


@dataclass(frozen=True)
class Verification:
    """What is found of every file in a folder."""

    folder: Path
    files: Mapping[str, FoundFile]
    """By path in the folder."""

    def count(self, *statuses: str) -> int:
        """Count the files that were found to be so."""
        return sum(file.status in statuses for file in self.files.values())

    @property
    def is_as_written(self) -> bool:
        """Tell whether all that should be there is, as it was written."""
        return not self.count(DAMAGED, UNKNOWN)

    def as_dict(self) -> dict[str, Any]:
        """Return what `nlpt report --verify --json` prints."""
        files = {
            name: {"status": file.status, **({"damage": file.damage} if file.damage else {})}
            for name, file in self.files.items()
        }
        return {"folder": str(self.folder), "as_written": self.is_as_written, "files": files}


def verify_folder(folder: Path) -> Verification:
    """Read every file that a manifest in a folder lists, and name those that none does.

    folder: of a run, or of a model or an export alone
    raises: UserError where nothing in it can be verified
    """
    manifests = {path.parent: read_manifest(path.parent) for path in folder.rglob(MANIFEST)}
    listing = {own: listed for own, listed in manifests.items() if listed is not None}
    state = RunFolder(folder).state()
    if not listing and state != "finished":
        raise UserError(
            f"{folder}: no {MANIFEST} of nlpt is in it, so nothing can be verified. Name a run, a "
            "model or an export; earlier versions wrote none."
        )
    kept = {"finished": KEPT, "unfinished": (MANIFEST,), "new": (MANIFEST,)}[state]
    found = {
        (own / name).relative_to(folder).as_posix(): _verified(own / name, listed)
        for own, files in listing.items()
        for name, listed in files.items()
    }
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and name.as_posix() not in found:
            added = not listing.keys().isdisjoint({*path.parents} - {folder})  # to a whole model
            is_kept = name.parts[0] in kept and not added
            lists = path.name == MANIFEST and path.parent in listing
            found[name.as_posix()] = _unlisted(path, is_kept=is_kept, lists=lists)
    return Verification(folder, dict(sorted(found.items())))


def _verified(file: Path, listed: Listed) -> FoundFile:
    damage = listed.damage(file)
    return FoundFile(DAMAGED if damage else AS_WRITTEN, damage)


def _unlisted(file: Path, *, is_kept: bool, lists: bool) -> FoundFile:
    """Say what a file is that no manifest lists.

    is_kept: it is one that is kept, and should be listed
    lists:   it is a manifest itself
    """
    if lists:
        return FoundFile(AS_WRITTEN)  # else what it lists would not be
    if file.name == MANIFEST and is_kept:
        return FoundFile(DAMAGED, "is not as nlpt writes it")
    return FoundFile(UNKNOWN if is_kept else OTHER)
