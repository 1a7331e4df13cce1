"""The folder of a model in, what tells it from any other out: the content of its files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from nlp_transfer.manifest import MANIFEST, sha256_of
from nlp_transfer.models.loading import ADAPTER_FILE, load_adapter_config
from nlp_transfer.models.trained import base_of

_SAYS_NOTHING = (".md", MANIFEST)


def model_sha256(folder: Path) -> str:
    """Return the SHA-256 of all files of a model, and of the base that an adapter needs."""
    read = {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(_SAYS_NOTHING)
    }
    if (folder / ADAPTER_FILE).is_file():
        base = base_of(load_adapter_config(folder, "MODEL"))
        read["base model"] = model_sha256(base)
    return hashlib.sha256(json.dumps(read, sort_keys=True).encode("ascii")).hexdigest()
