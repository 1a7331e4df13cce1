"""A report in, the page of a run out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from nlp_transfer.report.page import Page, Section
from nlp_transfer.report.report import Report
from nlp_transfer.report.tables import ShownSplit, shown_splits, training_table
from nlp_transfer.tasks.analysis_blocks import confusion_blocks, mistake_blocks, slice_blocks


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
        sections=(*chain.from_iterable(map(_sections, reversed(splits))), *training),
    )


def _sections(split: ShownSplit) -> Iterator[Section]:
    """Show the figures of a split, then where it fails."""
    yield Section(split.name, split.tables)
    if analysis := split.analysis:
        mistakes = (*confusion_blocks(analysis), *mistake_blocks(analysis))
        of_split = {
            "where it fails": mistakes,
            "slices": slice_blocks(analysis),
            # Those of another split have no line in predictions.jsonl.
            "examples": (analysis.examples,) if analysis.examples and split.is_written else (),
        }
        for title, blocks in of_split.items():
            if blocks:
                yield Section(f"{split.name}: {title}", blocks)
