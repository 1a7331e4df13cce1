"""A report in, the page of a run out."""

from __future__ import annotations

from nlp_transfer.report.page import Page, Section
from nlp_transfer.report.report import Report
from nlp_transfer.report.tables import ShownSplit, shown_splits, training_table


def report_page(report: Report) -> Page:
    """Lay out a report: the last of the scored splits first, for it is the one to be quoted."""
    splits = shown_splits(report)
    for name, side in report.tasks.items():
        splits += shown_splits(side, f"{name}, ")
    training = [Section("Training", (training_table(report.training),))] if report.training else []
    return Page(
        title=report.recipe,
        headlines=tuple(split.headline for split in splits),
        summary="",
        cautions=(*(line for split in splits for line in split.caveats), *report.notes),
        sections=(*map(_section, reversed(splits)), *training),
    )


def _section(split: ShownSplit) -> Section:
    return Section(split.name, split.tables)
