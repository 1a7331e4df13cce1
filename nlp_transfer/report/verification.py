"""What was found of the files of a run in, a table and a sentence out."""

from __future__ import annotations

from nlp_transfer.manifest import MANIFEST
from nlp_transfer.runs.verification import AS_WRITTEN, DAMAGED, OTHER, UNKNOWN, Verification
from nlp_transfer.shown import Table


def verification_table(found: Verification) -> Table:
    """List the files, and what is wrong with each."""
    rows = tuple(
        (name, f"{file.status}: it {file.damage}" if file.damage else file.status)
        for name, file in found.files.items()
    )
    return Table(str(found.folder), ("file", "found"), rows, figures=False)


def verdict(found: Verification) -> str:
    """Say what was found of all files, and what to do about it."""
    counts = ((status, found.count(status)) for status in (AS_WRITTEN, DAMAGED, UNKNOWN, OTHER))
    shown = ", ".join(f"{count:,} {status}" for status, count in counts if count)
    if found.count(DAMAGED):
        advice = " Copy what is damaged again, or train anew with --fresh."
    elif found.count(UNKNOWN):
        advice = f" No {MANIFEST} lists some: an earlier version wrote them, or it is gone."
    else:
        advice = ""
    return f"{found.folder}: {shown}.{advice}"
