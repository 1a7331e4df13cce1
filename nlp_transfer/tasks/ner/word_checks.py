"""Tagged sentences in, findings about their words out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from nlp_transfer.data.raw_words import RULES, RawWords, measure, resplit, sample, with_text
from nlp_transfer.data.visible import shown
from nlp_transfer.doctor.characters import FAULTS, Fault, faults_found, faults_of, is_invisible
from nlp_transfer.doctor.finding import Finding, Severity, Tally, agree, counted
from nlp_transfer.doctor.rows import columns
from nlp_transfer.recipe import WordRule
from nlp_transfer.records import Splits

_LONG_WORD = 100
_LONG_SENTENCE = 500
_NOTABLE_SHARE = 0.01
_BETTER = 0.02
"""By how much another rule has to fit better to be worth a word."""
_AROUND = 2

_FAULTS = {
    "hidden_words": Fault(
        "warning",
        "made only of characters that cannot be seen",
        "Remove them, if the tags allow it. Here each is read as unknown and gets a prediction; "
        "many tools lose count at them.",
    ),
    "inner_blanks": Fault(
        "warning",
        "with white space inside",
        "Split them into words, or check data.separator.",
    ),
    "long_words": Fault(
        "info",
        f"of more than {_LONG_WORD} characters",
        "Check that the text was split into words.",
    ),
    **FAULTS,
}


def words(splits: Splits) -> Iterator[Finding]:
    """Find words that a tokenizer, or a reader, will stumble over."""
    for split in splits:
        tallies = {code: Tally() for code in _FAULTS}
        for where, sentence in columns(splits[split], "where", "words"):
            for number, word in enumerate(sentence):
                for code in _word_faults(word):
                    around = " ".join(sentence[max(0, number - 2) : number + 3])
                    tallies[code].add(where, f"{shown(word)} in {shown(around)}")
        yield from faults_found(tallies, _FAULTS, split, "word")


@lru_cache(maxsize=200_000)  # words recur
def _word_faults(word: str) -> tuple[str, ...]:
    if len(word) <= _LONG_WORD and word.isascii() and word.isalnum():
        return ()
    found = []
    if len(word.split()) > 1 or word != word.strip():
        found.append("inner_blanks")
    if len(word) > _LONG_WORD:
        found.append("long_words")
    if is_invisible(word):
        found.append("hidden_words")
    else:
        found.extend(faults_of(word))
    return tuple(found)


def sentence_lengths(splits: Splits) -> Iterator[Finding]:
    """Find very long sentences, and many sentences of one word."""
    for split in splits:
        total = len(splits[split])
        long, single = Tally(), Tally()
        for where, sentence in columns(splits[split], "where", "words"):
            if len(sentence) > _LONG_SENTENCE:
                start = shown(" ".join(sentence[:20]))
                long.add(where, f"{len(sentence):,} words: {start}")
            elif len(sentence) == 1:
                single.add(where, shown(sentence[0]))
        if long.count:
            yield long.finding(
                "long_sentences",
                "info",
                f"{counted(long.count, 'sentence')} of more than {_LONG_SENTENCE} words",
                "Check that blank lines separate the sentences. They are read in windows here; "
                "other tools cut them off.",
                split=split,
            )
        if single.count > total * _NOTABLE_SHARE:
            yield single.finding(
                "one_word_sentences",
                "info",
                f"{single.count:,} of {total:,} sentences {agree(single.count, 'has', 'have')} one "
                "word only",
                "Nothing to do if the text is like that; else check how it was split.",
                split=split,
            )


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
