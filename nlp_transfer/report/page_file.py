"""The file of a page that a user names: refused before anything is computed, or written."""

from __future__ import annotations

import logging
from pathlib import Path

from nlp_transfer.errors import UserError
from nlp_transfer.files import write_text
from nlp_transfer.report.page import Page

log = logging.getLogger(__name__)

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


def write_page(html: Path, page: Page) -> None:
    """Write a page where `check_page_path` has allowed it, and say so."""
    from nlp_transfer.report.pages import html_page

    html.parent.mkdir(parents=True, exist_ok=True)
    write_text(html, html_page(page))
    log.info("wrote %s", html)


def _may_go(file: Path) -> bool:
    """Tell a page, or nothing, from what somebody may miss."""
    with file.open("rb") as stream:
        start = stream.read(len(_PAGE))
    return start.lower() in (b"", _PAGE)
