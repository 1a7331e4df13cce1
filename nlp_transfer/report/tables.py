"""A report in, titled tables and sentences out: what every form of it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nlp_transfer.data.raw_words import RawWords
from nlp_transfer.doctor.finding import counted
from nlp_transfer.doctor.repeats import doubts, leaks
from nlp_transfer.metrics.bootstrap import interval_doubt
from nlp_transfer.records import LossLedger
from nlp_transfer.report.report import Fact, Report, SplitReport
from nlp_transfer.shown import Table
from nlp_transfer.tasks.analysis import Analysis
from nlp_transfer.tasks.faces import Rows

_LEDGER_NAMES = {
    "sentences": "sentences or texts",
    "words": "words",
    "entities": "gold entities",
    "windows": "windows read by the model",
    "words_truncated": "words not read in full",
    "words_without_pieces": "words the tokenizer drops (read as unknown)",
    "entities_unseen_type": "gold entities of a type unseen in training",
    "labels_unseen": "gold labels unseen in training",
    "entities_truncated": "gold entities with a word not read in full",
    "entities_dropped": "gold entities that words cannot hold",
    "tags_repaired": "tags repaired on reading",
    "spans_trimmed": "spans trimmed of white space",
    "spans_expanded": "spans widened to whole words",
    "examples_dropped": "rows left out on reading",
    "pairs_incomplete": "rows of pairs without a second text (read alone)",
    "examples_added": "training examples added by strategies",
    "examples_left_out": "training examples left out (data.train_examples)",
}
# What means nothing for rows of every task; the task says for which it does.
_OF_SOME_TASKS = {
    "entities", "words_without_pieces", "entities_unseen_type", "entities_truncated",
    "entities_dropped", "tags_repaired", "spans_trimmed", "spans_expanded", "labels_unseen",
    "pairs_incomplete",
}  # fmt: skip
_COUNTS = {"sentences", "words", "entities", "windows", "examples_left_out"}
# What reading may have cost; most data has none of it, so a line appears where there is some.
_RARE = {
    "entities_truncated", "entities_dropped", "spans_trimmed", "spans_expanded",
    "examples_dropped", "pairs_incomplete", "examples_added", "examples_left_out",
}  # fmt: skip


@dataclass(frozen=True)
class ShownSplit:
    """What people see of one split."""

    name: str
    headline: str
    """The one figure that counts, with its interval."""
    caveats: tuple[str, ...]
    """Why the interval may mean little, what repeats, and the headline of what is new."""
    tables: tuple[Table, ...]
    """The headline's first."""
    analysis: Analysis | None
    """Where it fails."""


def shown_splits(report: Report, of: str = "") -> list[ShownSplit]:
    """List what people see of each split.

    of: what to put before each title
    """
    return [
        ShownSplit(
            f"{of}{name}",
            f"{of}{name} {split.figures.headline}",
            tuple(f"{of}{name}: {caveat}." for caveat in _caveats(split, report.task.rows)),
            (
                *split.figures.tables(),
                *([split.confidence.table()] if split.confidence else []),
                _ledger_table(split, report.task.rows, report.words),
            ),
            split.analysis,
        )
        for name, split in report.splits.items()
    ]


def training_table(training: Mapping[str, Fact]) -> Table:
    """Tabulate how long training took and how much learned."""
    rows = ((n.replace("_", " "), _fact(v)) for n, v in training.items() if v is not None)
    return Table("Training", ("", ""), tuple(rows))


def _fact(value: float | str) -> str:
    """Write a number for people: 1,234 or 0.9123."""
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) else value


def _caveats(split: SplitReport, rows: Rows) -> Iterator[str]:
    if leak := _leak(split, rows):
        yield f"{leak}. {_without_leaks(split)}"
    if split.repeats:
        yield from doubts(split.repeats, _amount(split, rows), rows.nouns)
    if doubt := interval_doubt(*split.figures.headline.interval, split.ledger.sentences):
        yield doubt


def _leak(split: SplitReport, rows: Rows) -> str | None:
    return leaks(split.repeats, _amount(split, rows)) if split.repeats else None


def _amount(split: SplitReport, rows: Rows) -> str:
    return counted(split.ledger.sentences, rows.nouns.example)


def _without_leaks(split: SplitReport) -> str:
    unseen = split.unseen
    if not unseen or not unseen.headline:
        return "Nothing is left to measure on"
    return f"On the other {unseen.examples:,}: {unseen.headline}"


def ledger_lines(ledger: LossLedger, rows: Rows) -> dict[str, int]:
    """Pick the lines of a ledger that mean something for a task, under their full names."""
    counts = ledger.as_dict()
    hidden = _OF_SOME_TASKS - rows.losses
    return {
        text: counts[name]
        for name, text in _LEDGER_NAMES.items()
        if name not in hidden and (name not in _RARE or counts[name])
    }


def _ledger_table(split: SplitReport, rows: Rows, words: RawWords | None) -> Table:
    lost = sum(count for name, count in split.ledger.as_dict().items() if name not in _COUNTS)
    note = "Nothing was lost." if not lost else "Every one of these is counted in the scores above."
    if leak := _leak(split, rows):
        note += f" But {leak}."
    shown = [(text, f"{count:,}") for text, count in ledger_lines(split.ledger, rows).items()]
    if words:
        what = f"training sentences of {words.sentences:,} whose raw text splits into their words"
        shown.append((what, f"{words.same:,}"))
    return Table("Loss ledger", ("what", "count"), tuple(shown), note)
