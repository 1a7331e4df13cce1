"""Repositories: their files at every commit, and how the Hub lists them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

Files = dict[str, bytes]

LFS_SUFFIXES = (".safetensors", ".bin", ".parquet")


@dataclass
class Repo:
    """A repository: its files at every commit, the last one being its present state.

    A commit is named by all of its files, so every answer names it alike until they change.
    """

    private: bool = False
    snapshots: list[Files] = field(default_factory=lambda: [{}])
    summaries: list[str] = field(default_factory=lambda: ["initial commit"])
    branches: dict[str, Files] = field(default_factory=dict)
    """Branches beside main, and pull requests, such as refs/convert/parquet: their files."""
    tags: dict[str, str] = field(default_factory=dict)
    """The commit that each tag names."""

    @property
    def files(self) -> Files:
        return self.snapshots[-1]

    @property
    def published(self) -> list[str]:
        """The summaries of all commits after the empty first one."""
        return self.summaries[1:]

    def sha(self, number: int = -1) -> str:
        return _commit(self.snapshots[number])

    def find(self, revision: str) -> tuple[str, Files] | None:
        """Return the commit and the files of a branch, a tag or a commit."""
        known = {_commit(files): files for files in (*self.branches.values(), *self.snapshots)}
        heads = {name: _commit(files) for name, files in self.branches.items()}
        commit = {"main": self.sha(), **heads, **self.tags}.get(revision, revision)
        return (commit, known[commit]) if commit in known else None

    def refs(self) -> dict[str, list[dict[str, str]]]:
        """List branches, the Hub's own conversions and tags."""
        heads = {"main": self.sha()} | {name: _commit(f) for name, f in self.branches.items()}
        own = {name: sha for name, sha in heads.items() if not name.startswith("refs/")}
        converted = {
            name.removeprefix("refs/convert/"): sha
            for name, sha in heads.items()
            if name.startswith("refs/convert/")
        }
        return {
            "branches": _refs(own, "refs/heads/"),
            "converts": _refs(converted, "refs/convert/"),
            "tags": _refs(self.tags, "refs/tags/"),
        }


def oid(path: str, content: bytes) -> str:
    """Name a file as git does, or by its SHA-256 where it is in large file storage."""
    return _hashed(content, path.endswith(LFS_SUFFIXES))


def listed(files: Files) -> list[dict[str, Any]]:
    """List the folders and the files of a commit, as the recursive listing has them."""
    folders = {str(folder) for path in files for folder in PurePosixPath(path).parents} - {"."}
    entries = [{"type": "directory", "path": path, "size": 0, "oid": ""} for path in folders]
    entries += [_entry(path, content) for path, content in files.items()]
    return sorted(entries, key=lambda entry: (entry["type"], entry["path"]))


def _entry(path: str, content: bytes) -> dict[str, Any]:
    name = oid(path, content)
    entry = {"type": "file", "path": path, "size": len(content), "oid": name}
    if path.endswith(LFS_SUFFIXES):
        entry["lfs"] = {"oid": name, "size": len(content), "pointerSize": 130}
    return entry


def _refs(commits: dict[str, str], prefix: str) -> list[dict[str, str]]:
    return [
        {"name": name, "ref": f"{prefix}{name}", "targetCommit": sha}
        for name, sha in commits.items()
    ]


def _commit(files: Files) -> str:
    tree = [f"{path} {oid(path, content)}" for path, content in sorted(files.items())]
    return hashlib.sha1("\n".join(tree).encode()).hexdigest()


@lru_cache(maxsize=256)  # every request names a commit, so every file is asked for again
def _hashed(content: bytes, large: bool) -> str:
    if large:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
