"""Every file of a run, read again: is it as it was written?"""

from __future__ import annotations

from pathlib import Path

from nlp_transfer.errors import UserError
from nlp_transfer.logs import lines_shown
from nlp_transfer.runs.verification import Verification, verify_folder


@lines_shown()
def verify(run: str | Path) -> Verification:
    """Say of every file of a run whether it is as it was written.

    run:     a run folder, or the folder of a model or an export
    returns: what is found of each file; `is_as_written` says it of all
    raises:  UserError where it is no folder, or nothing in it can be verified
    """
    folder = Path(run)
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder.")
    return verify_folder(folder)
