"""Where predictions fail in, tables and charts for people out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from nlp_transfer.metrics.bootstrap import FEW
from nlp_transfer.metrics.figures import Score, Scores, four_digits
from nlp_transfer.shown import Bar, BarChart, Block, Table
from nlp_transfer.tasks.analysis import Analysis, ErrorCounts, Mistake, attribute_name, slice_name

_SHORT = 3
"""Slices, and repeated mistakes, that a terminal shows."""
_WEAKEST = 10
"""Slices in the table of a page."""


def confusion_blocks(analysis: Analysis) -> tuple[Block, ...]:
    """Show what is taken for what, missed, and found where nothing is."""
    blocks: list[Block] = []
    if analysis.notes:
        notes = tuple((note,) for note in analysis.notes)
        blocks.append(Table("", ("",), notes, figures=False))
    if analysis.errors:
        blocks.append(_errors_table(analysis))
    if analysis.confusion:
        blocks.append(analysis.confusion)
    if analysis.pairs and _says_more(analysis):
        rows = tuple(
            (pair.gold or "(nothing)", pair.predicted or "(nothing)", f"{pair.count:,}")
            for pair in analysis.pairs
        )
        note = "(nothing): missed, or found where nothing is."
        is_needed = any(not (pair.gold and pair.predicted) for pair in analysis.pairs)
        columns = ("gold", "predicted", "times")
        blocks.append(Table("Most frequent confusions", columns, rows, note if is_needed else ""))
    return tuple(blocks)


def _says_more(analysis: Analysis) -> bool:
    """Tell whether pairs of labels are confused that the grid does not show."""
    shown = {*analysis.confusion.rows} if analysis.confusion else set()
    return any({pair.gold, pair.predicted} - {""} - shown for pair in analysis.pairs)


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
    """Show the weakest slices with all their figures, and a chart of what has several."""
    weakest = _weakest(analysis)[:_WEAKEST]
    rows = tuple(_slice_cells(name, score) for name, score in weakest)
    if analysis.overall:
        rows += (_slice_cells("all", analysis.overall),)
    columns = ("slice", "n", "precision", "recall", "F1", "95 % interval")
    note = f"Of the slices with {FEW} items or more. n: gold items. All: micro-averaged."
    table = [Table("Weakest slices", columns, rows, note)] if weakest else []
    divided = {name: scores for name, scores in analysis.slices.items() if len(scores) > 1}
    return (*table, *(_chart(name, scores) for name, scores in divided.items()))


def _slice_cells(name: str, score: Score) -> tuple[str, ...]:
    figures = map(four_digits, (score.precision, score.recall, score.f1))
    return (name, f"{score.support:,}", *figures, _interval(score))


def _interval(score: Score) -> str:
    return "{:.4f} to {:.4f}".format(*score.f1_ci95) if score.f1_ci95 else ""


def _chart(attribute: str, scores: Scores) -> BarChart:
    few = [value for value, score in scores.items() if (score.support or 0) < FEW]
    return BarChart(
        f"F1 by {attribute_name(attribute)}",
        "F1",
        tuple(Bar(value, s.f1, s.f1_ci95, s.support) for value, s in scores.items()),
        f"From fewer than {FEW} items, so that it says little: {', '.join(few)}." if few else "",
    )


def _weakest(analysis: Analysis) -> list[tuple[str, Score]]:
    """List the slices with enough items that have the lowest F1, of attributes that divide."""
    enough = [
        (slice_name(attribute, value), score)
        for attribute, scores in analysis.slices.items()
        for value, score in scores.items()
        if (score.support or 0) >= FEW and len(scores) > 1
    ]
    return sorted(enough, key=lambda item: item[1].f1)


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
                _gold(mistake),
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


def _gold(mistake: Mistake) -> str:
    words = f" {mistake.gold_text!r}" if mistake.gold_text else ""
    return f"{mistake.gold}{words}" or "(nothing)"


def short_table(analysis: Analysis) -> Table | None:
    """Pick what a terminal shows: the kinds of errors, the weakest slices, repeated mistakes."""
    rows = tuple(chain(_kinds(analysis), _weak(analysis), _most_repeated(analysis)))
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


def _weak(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """Yield the weakest of the slices whose whole interval lies below F1 of all."""
    overall = analysis.overall.f1 if analysis.overall else 0.0
    weaker = [item for item in _weakest(analysis) if (item[1].f1_ci95 or (0, 1))[1] < overall]
    for name, score in weaker[:_SHORT]:
        yield "weak", f"{name}: F1 {score.f1:.4f} ({_interval(score)}), n {score.support:,}"


def _most_repeated(analysis: Analysis) -> Iterator[tuple[str, str]]:
    for mistake in analysis.repeated[:_SHORT]:
        yield "repeated", str(mistake)
