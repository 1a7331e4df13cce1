"""Where predictions fail in, tables and charts for people out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from nlp_transfer.metrics.bootstrap import FEW
from nlp_transfer.metrics.figures import Score, four_digits
from nlp_transfer.shown import Bar, BarChart, Block, Table
from nlp_transfer.tasks.analysis import Analysis, ErrorCounts, attribute_name, slice_name

_FEW = f"fewer than {FEW}: says little"
_SHORT = 3
"""Slices, and repeated mistakes, that a terminal shows."""


def confusion_blocks(analysis: Analysis) -> tuple[Block, ...]:
    """Show what is taken for what, missed, and found where nothing is."""
    blocks: list[Block] = []
    if analysis.errors:
        blocks.append(_errors_table(analysis))
    if analysis.confusion:
        blocks.append(analysis.confusion)
    if analysis.pairs:
        rows = tuple(
            (pair.gold or "(nothing)", pair.predicted or "(nothing)", f"{pair.count:,}")
            for pair in analysis.pairs
        )
        note = "(nothing): missed, or found where nothing is."
        is_needed = any(not (pair.gold and pair.predicted) for pair in analysis.pairs)
        columns = ("gold", "predicted", "times")
        blocks.append(Table("Most frequent confusions", columns, rows, note if is_needed else ""))
    return tuple(blocks)


def _errors_table(analysis: Analysis) -> Table:
    rows = [_error_cells(name, counts) for name, counts in analysis.errors.items()]
    return Table(
        "Errors by type",
        (
            "type", "gold", "predicted", "correct", "wrong type", "wrong borders", "both wrong",
            "missed", "spurious",
        ),
        (*rows, _error_cells("all", analysis.all_errors())),
        "Each entity stands in one column: gold ones in correct to missed; predicted ones that "
        "have no gold partner in spurious.",
    )  # fmt: skip


def _error_cells(name: str, counts: ErrorCounts) -> tuple[str, ...]:
    numbers = (
        counts.gold,
        counts.predicted,
        counts.correct,
        counts.wrong_type,
        counts.wrong_borders,
        counts.wrong_type_and_borders,
        counts.missed,
        counts.spurious,
    )
    return (name, *(f"{number:,}" for number in numbers))


def slice_blocks(analysis: Analysis) -> tuple[Block, ...]:
    """Show every slice: a chart for each attribute, and one table of all."""
    if not analysis.slices:
        return ()
    charts = [
        BarChart(
            f"F1 by {attribute_name(attribute)}",
            "F1",
            tuple(Bar(value, s.f1, s.f1_ci95, s.support) for value, s in scores.items()),
        )
        for attribute, scores in analysis.slices.items()
        if len(scores) > 1
    ]
    rows = tuple(slice_cells(name, score) for name, score in _slices(analysis))
    columns = ("slice", "n", "precision", "recall", "F1", "95 % interval", "")
    note = (
        "n: gold items. Both sides are sliced alike, so that precision counts what was predicted "
        "with the attribute. Whole examples are resampled for the intervals."
    )
    return (*charts, Table("Slices", columns, rows, note))


def _slices(analysis: Analysis) -> Iterator[tuple[str, Score]]:
    for attribute, scores in analysis.slices.items():
        for value, score in scores.items():
            yield slice_name(attribute, value), score


def slice_cells(name: str, score: Score) -> tuple[str, ...]:
    """Write a slice as a row of the table."""
    low, high = score.f1_ci95 or (0.0, 1.0)
    figures = map(four_digits, (score.precision, score.recall, score.f1))
    support = score.support or 0
    doubt = _FEW if support < FEW else ""
    return (name, f"{support:,}", *figures, f"{low:.4f} to {high:.4f}", doubt)


def mistake_blocks(analysis: Analysis) -> tuple[Block, ...]:
    """Show the mistakes that the model was surest of, and those it repeats."""
    blocks: list[Block] = []
    if analysis.repeated:
        lines = tuple((str(mistake),) for mistake in analysis.repeated)
        blocks.append(Table("Repeated mistakes", ("mistake",), lines, figures=False))
    if analysis.mistakes:
        rows = tuple(
            (
                f"{mistake.score:.4f}",
                mistake.text,
                mistake.gold or "(nothing)",
                mistake.predicted or "(nothing)",
                mistake.kind,
                mistake.where or f"example {mistake.example:,}",
            )
            for mistake in analysis.mistakes
        )
        columns = ("score", "text", "gold", "predicted", "kind", "where")
        title = f"The {len(rows)} most confident mistakes"
        blocks.append(Table(title, columns, rows, figures=False))
    return tuple(blocks)


def short_table(analysis: Analysis) -> Table | None:
    """Pick what a terminal shows: the kinds of errors, the weakest slices, repeated mistakes."""
    rows = tuple(chain(_kinds(analysis), _weakest(analysis), _most_repeated(analysis)))
    note = " ".join(analysis.notes)
    if not rows and not note:
        return None
    return Table("Where it fails", ("", ""), rows, note, figures=False)


def _kinds(analysis: Analysis) -> Iterator[tuple[str, str]]:
    counts = analysis.all_errors()
    kinds = {
        "wrong type": counts.wrong_type,
        "wrong borders": counts.wrong_borders,
        "both wrong": counts.wrong_type_and_borders,
        "missed": counts.missed,
        "spurious": counts.spurious,
    }
    if any(kinds.values()):
        yield "errors", ", ".join(f"{count:,} {name}" for name, count in kinds.items() if count)
    named = [pair for pair in analysis.pairs if pair.gold and pair.predicted][:_SHORT]
    if named:
        shown = (f"{pair.gold} as {pair.predicted} ({pair.count:,})" for pair in named)
        yield "confused most", ", ".join(shown)


def _weakest(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """Yield the slices that are weakest for certain: of those with enough items, by F1."""
    enough = [item for item in _slices(analysis) if (item[1].support or 0) >= FEW]
    for name, score in sorted(enough, key=lambda item: item[1].f1)[:_SHORT]:
        low, high = score.f1_ci95 or (0.0, 1.0)
        yield name, f"F1 {score.f1:.4f} ({low:.4f} to {high:.4f}, n {score.support:,})"


def _most_repeated(analysis: Analysis) -> Iterator[tuple[str, str]]:
    for mistake in analysis.repeated[:_SHORT]:
        yield "repeated", str(mistake)
