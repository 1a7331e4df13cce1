"""A place for a page in; a refusal, before anything is computed, where it cannot be there."""

from __future__ import annotations

from pathlib import Path

from nlp_transfer.errors import UserError

_PAGE = b"<!doctype html"


def check_page_path(html: Path) -> None:
    """Refuse a page that could not be written, or would be written over something else.

    raises: UserError
    """
    if html.is_dir():
        raise UserError(f"--html: {html} is a folder; name a file.")
    above = next(folder for folder in html.absolute().parents if folder.exists())
    if not above.is_dir():
        raise UserError(f"--html: {above} is a file, so nothing can be written in it.")
    if html.is_file() and not _may_go(html):
        raise UserError(
            f"--html: {html} is there already and holds something else than a page. Name another "
            "file, or delete it first."
        )


def _may_go(file: Path) -> bool:
    """Tell a page, or nothing, from what somebody may miss."""
    with file.open("rb") as stream:
        start = stream.read(len(_PAGE))
    return start.lower() in (b"", _PAGE)
