"""Names of all that lies in a run folder."""

from __future__ import annotations

from nlp_transfer.manifest import MANIFEST

_FILES = (
    "report.md", "report.html", "predictions.jsonl", "log.jsonl", "README.md", "recipe.yaml",
    "data.json", "environment.json",
)  # fmt: skip
"""What a finished run keeps beside metrics.json. The last three are written first."""
OURS = (
    "metrics.json", MANIFEST, "checkpoints", "model", "adapter", "onnx", "tasks", "tracking",
    *_FILES,
)  # fmt: skip
"""All that a run writes, in the order in which it is deleted, the recipe late: a folder with a
recipe and no environment is not a run of ours."""
STATE = ("recipe.yaml", "environment.json", "data.json", MANIFEST, "metrics.json")
"""What tells which run it is, what it has read, and how far it has come; and its figures."""
KEPT = frozenset(OURS) - {"checkpoints", "tracking"}
"""What of it no finished run changes."""
LISTED = (
    *_FILES, *(f"{folder}/{MANIFEST}" for folder in ("model", "adapter", "tasks/*")),
    "tasks/*/predictions.jsonl",
)  # fmt: skip
"""Patterns of what the manifest of a finished run lists beside metrics.json: also the manifests of
its models, each of which lists that model. Exports are made later, and have their own."""
