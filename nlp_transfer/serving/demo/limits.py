"""What the page takes of its visitors at most."""

from __future__ import annotations

from pathlib import Path

from nlp_transfer.serving.limits import Limits

FILE_BYTES = 1_000_000
"""Of a file that is to be predicted."""
FOLDER_BYTES = 100_000_000
"""Of all files that visitors have sent, or that were written for them, together."""
KEPT_SECONDS = 600
"""For which such files stay."""
MOST_QUEUED = 32
"""Visitors that wait for their answer; one after the other is answered."""
LIMITS = Limits(body_bytes=FILE_BYTES + 100_000)  # a form has more in it than the file


def is_full(folder: Path) -> bool:
    """Tell whether visitors' files take all the space that they may."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) > FOLDER_BYTES
