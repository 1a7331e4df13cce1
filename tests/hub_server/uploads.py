"""What a client sends in, and the repository after it."""

from __future__ import annotations

import base64
from typing import Any

import yaml

from hub_server.repositories import LFS_SUFFIXES, Files, Repo, oid


def card_errors(content: str) -> list[str]:
    """Check the metadata as the real Hub does, as far as model cards are concerned."""
    data = yaml.safe_load(content.split("---\n")[1])
    texts = ("license", "language")
    errors = [f'"{key}" must be a string' for key in texts if data.get(key, "") is None]
    for entry in data.get("model-index", []):
        for result in entry["results"]:
            if not result["task"].get("type") or not result["dataset"].get("type"):
                errors.append('"model-index" lacks a task or dataset type')
            if not all("type" in metric and "value" in metric for metric in result["metrics"]):
                errors.append('"model-index" lacks a metric type or value')
    names = [data["base_model"]] if "base_model" in data else []
    return errors + [
        f"{name!r} is not a repository id"
        for name in (*names, *data.get("datasets", []))
        if name.startswith(("/", ".")) or name.count("/") > 1
    ]


def upload_modes(repo: Repo, paths: list[str]) -> list[dict[str, Any]]:
    """Say how each file is to be sent, and what is there under its name."""
    return [
        {
            "path": path,
            "uploadMode": "lfs" if path.endswith(LFS_SUFFIXES) else "regular",
            "shouldIgnore": False,
            "oid": oid(path, repo.files[path]) if path in repo.files else None,
        }
        for path in paths
    ]


def changed(files: Files, lines: list[dict[str, Any]], blobs: Files) -> tuple[Files, str]:
    """Return the files after a commit, and its summary.

    blobs: what was sent as large files, by SHA-256
    """
    files, summary = dict(files), ""
    for line in lines:
        value = line["value"]
        if line["key"] == "header":
            summary = value["summary"]
        elif line["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            files[value["path"]] = blobs[value["oid"]]
        elif line["key"] == "deletedFile":
            del files[value["path"]]
        else:
            raise NotImplementedError(line["key"])
    return files, summary
