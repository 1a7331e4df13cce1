"""Runs of two sides or more, on one test set: which is better, and how sure that is."""

from __future__ import annotations

from pathlib import Path

from nlp_transfer.comparisons.comparison import Comparisons, compare_sides
from nlp_transfer.comparisons.page import comparison_page
from nlp_transfer.comparisons.sides import paths_of
from nlp_transfer.logs import lines_shown
from nlp_transfer.report.page_file import check_page_path, write_page


@lines_shown()
def compare(*sides: str | Path, html: str | Path | None = None) -> Comparisons:
    """Say of every two sides which is better, or that the test set cannot tell.

    sides:   a run folder or a predictions.jsonl each; several runs of one side, which differ in the
             seed, joined by commas, as a pattern ("runs/a-*"), or as STUDY/ROW
    html:    where to write the page, with the examples that only one side has right
    raises:  UserError where predictions cannot be read, or are not about the same test set
    """
    if html is not None:
        check_page_path(Path(html))
    found = compare_sides([paths_of(str(side)) for side in sides])
    if html is not None:
        write_page(Path(html), comparison_page(found))
    return found
