"""Splits in, findings about what reading them cost out."""

from __future__ import annotations

from collections.abc import Iterator

from nlp_transfer.data.unread import not_read
from nlp_transfer.doctor.finding import Finding, counted
from nlp_transfer.doctor.rows import RowReader
from nlp_transfer.records import LossLedger, Splits

# What the ledger counts: one, several, what became of it, what to do.
_KINDS = {
    "tags_repaired": (
        "tag", "tags",
        "out of place in their scheme, read as the start of an entity",
        "Correct the tags, or live with it: the CoNLL scorer reads them the same way.",
    ),
    "spans_trimmed": (
        "span", "spans",
        "that began or ended with white space, which was cut off",
        "Correct the offsets at their source.",
    ),
    "spans_expanded": (
        "span", "spans",
        "that began or ended inside a word, or had gaps, widened to whole words",
        "Check them: a model that tags words cannot find a part of one.",
    ),
    "entities_dropped": (
        "entity", "entities",
        "left out because words cannot hold them; recall counts them as missed",
        "See data.misaligned and data.overlapping, or correct the spans.",
    ),
    "pairs_incomplete": (
        "row", "rows",
        "without a second text, which others have; the first is read alone",
        "Check that these rows are meant to have one text.",
    ),
    "examples_dropped": (
        "row", "rows",
        "left out: no words, no text, no label, or rejected by the annotator",
        "Check that these rows are meant to be left out.",
    ),
}  # fmt: skip


def losses(splits: Splits, read: RowReader) -> Iterator[Finding]:
    """Find what was repaired, cut or left out while the splits were read."""
    for split in splits:
        counts = counts_of(splits, split)
        for name, (noun, plural, fate, fix) in _KINDS.items():
            count = counts[name]
            if count:
                message = f"{counted(count, noun, plural)} {fate}"
                if name == "examples_dropped":
                    fix = f"{fix} {read.nouns.unlabelled}".rstrip()
                yield Finding(name, "warning", message, fix, count=count, split=split)


def unread_texts(splits: Splits) -> Iterator[Finding]:
    """Find columns of texts that are not read."""
    for split, columns in splits.unread.items():
        for column in columns:
            fate, _, fix = not_read(column).partition(". ")
            yield Finding("unread_texts", "info", fate, f"{fix}.", count=1, split=split)


def counts_of(splits: Splits, split: str) -> dict[str, int]:
    """Return what reading a split cost; the rest of a ledger is about a model."""
    ledger = splits.losses.get(split, LossLedger()).as_dict()
    return {name: ledger[name] for name in _KINDS}
