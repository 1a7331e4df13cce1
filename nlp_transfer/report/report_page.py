"""A report in, the page of a run out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from nlp_transfer.report.page import Page, Section
from nlp_transfer.report.report import Fact, Report
from nlp_transfer.report.summary import summary
from nlp_transfer.report.tables import ShownSplit, shown_splits, training_table
from nlp_transfer.report.training_curve import training_charts
from nlp_transfer.tasks.analysis import Analysis
from nlp_transfer.tasks.analysis_blocks import confusion_blocks, mistake_blocks, slice_blocks


def report_page(report: Report, *, log: Iterable[Mapping[str, object]] = ()) -> Page:
    """Lay out a report: the last of the scored splits first, for it is the one to be quoted.

    log: lines of log.jsonl
    """
    splits = shown_splits(report)
    sides = [
        split for name, side in report.tasks.items() for split in shown_splits(side, f"{name}, ")
    ]
    return Page(
        title=report.recipe,
        headlines=tuple(split.headline for split in (*reversed(splits), *sides)),
        summary=summary(report),
        cautions=(
            *(line for split in (*splits, *sides) for line in split.caveats),
            *report.notes,
        ),
        sections=(*_sections(report, splits, sides, log),),
    )


def _sections(
    report: Report,
    splits: list[ShownSplit],
    sides: list[ShownSplit],
    log: Iterable[Mapping[str, object]],
) -> Iterator[Section]:
    last = report.splits[splits[-1].name] if splits else None
    yield from map(_figures, splits[-1:])
    if last and last.analysis:
        yield from _analysed(last.analysis)
    if last and last.confidence:
        yield Section("Confidence", (last.confidence.chart(),))
    if report.training:
        yield _training(report.training, log, report.task.scores.headline)
    yield from map(_figures, (*reversed(splits[:-1]), *sides))
    if last and last.analysis and last.analysis.examples:  # last: it grows as one looks through
        yield Section("Examples", (last.analysis.examples,))


def _figures(shown: ShownSplit) -> Section:
    return Section(f"{shown.name[0].upper()}{shown.name[1:]}", shown.tables)


def _analysed(analysis: Analysis) -> Iterator[Section]:
    parts = {
        "Slices": slice_blocks(analysis),
        "Confusions": confusion_blocks(analysis),
        "Mistakes": mistake_blocks(analysis),
    }
    yield from (Section(title, blocks) for title, blocks in parts.items() if blocks)


def _training(
    training: Mapping[str, Fact], log: Iterable[Mapping[str, object]], figure: str
) -> Section:
    best = training.get("best_step")
    charts = training_charts(
        log, figure=figure, best_step=best if isinstance(best, int | float) else None
    )
    return Section("Training", (*charts, training_table(training)))
