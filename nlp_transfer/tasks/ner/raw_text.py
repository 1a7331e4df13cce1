"""Tagged sentences in, a finding about those that raw text would be split unlike out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nlp_transfer.data.raw_words import RULES, RawWords, measure, resplit, sample, with_text
from nlp_transfer.data.visible import shown
from nlp_transfer.doctor.finding import Finding, Severity, Tally, counted
from nlp_transfer.recipe import WordRule
from nlp_transfer.records import Splits

_BETTER = 0.02
"""By how much another rule has to fit better to be worth a word."""
_AROUND = 2


def raw_text(splits: Splits, rule: WordRule) -> Iterator[Finding]:
    """Find the training sentences whose text would be split into other words than they have."""
    if "train" not in splits:
        return
    found = measure(splits["train"], rule)
    if found.same == found.sentences:
        return
    rows = sample(splits["train"])
    tally = Tally()
    for where, (words, text) in zip(rows["where"], with_text(rows["words"], rule), strict=True):
        split = resplit(text, rule)
        if split != words:
            tally.add(where, _difference(words, split))
    severity: Severity = "warning" if found.is_low else "info"
    message = (
        f"{tally.count:,} of {counted(found.sentences, 'sentence')} would be split into other "
        f"words as raw text (data.words={rule})"
    )
    yield tally.finding("raw_text", severity, message, _way_out(splits, found), split="train")


def _way_out(splits: Splits, found: RawWords) -> str:
    """Name the rule that fits best, if another does."""
    others = [measure(splits["train"], rule) for rule in RULES if rule != found.rule]
    best = max(others, key=lambda other: other.share)
    better = (
        f"data.words={best.rule} fits {best.share:.0%} of the sentences. "
        if best.share > found.share + _BETTER
        else ""
    )
    return (
        f"{better}This is about raw text in predictions only: give nlpt predict texts that are "
        'split already ("tokens", or blanks between all words and --words blanks), or live with it.'
    )


def _difference(words: Sequence[str], split: Sequence[str]) -> str:
    """Show the first words that differ, and what they would be."""
    first = next(
        (i for i, (a, b) in enumerate(zip(words, split, strict=False)) if a != b), len(split)
    )
    ours, theirs = (" | ".join(side[first : first + _AROUND]) for side in (words, split))
    return f"{shown(ours)} would be {shown(theirs)}"
