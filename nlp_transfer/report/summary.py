"""A report in, one paragraph in words out: what it found, and what that rests on."""

from __future__ import annotations

from collections.abc import Iterator

from nlp_transfer.doctor.finding import counted
from nlp_transfer.doctor.repeats import leaks
from nlp_transfer.report.report import Report, SplitReport
from nlp_transfer.tasks.analysis import Analysis, ConfusedPair

_SHOWN_PAIRS = 3


def summary(report: Report) -> str:
    """Sum up the last of the scored splits."""
    if not report.splits:
        return ""
    name, split = list(report.splits.items())[-1]
    return " ".join(_sentences(name, split, report.task.rows.nouns.example))


def _sentences(name: str, split: SplitReport, noun: str) -> Iterator[str]:
    """Write sentences; noun: what one of the split's examples is called."""
    examples, headline = split.ledger.sentences, split.figures.headline
    low, high = headline.interval
    amount = counted(examples, noun)
    yield (
        f"On the {amount} of the {name} split the model reaches {headline.name} "
        f"{headline.value:.4f}; for other {noun}s like these, {low:.4f} to {high:.4f} "
        "is likely (95 % interval)."
    )
    if said := split.figures.in_words():
        yield said
    if split.analysis and (said := _confused(split.analysis)):
        yield said
    if split.repeats:
        leak = leaks(split.repeats, amount)
        others = "train" if name == "validation" else "train or validation"
        yield f"But {leak}." if leak else f"None of these {noun}s is in {others}."


def _confused(analysis: Analysis) -> str:
    most = ", ".join(map(_pair, analysis.pairs[:_SHOWN_PAIRS]))
    return f"Most frequent mistakes: {most}." if most else ""


def _pair(pair: ConfusedPair) -> str:
    times = f"({counted(pair.count, 'time')})"
    if not pair.predicted:
        return f"{pair.gold} missed {times}"
    if not pair.gold:
        return f"{pair.predicted} where there is nothing {times}"
    return f"{pair.gold} taken for {pair.predicted} {times}"
