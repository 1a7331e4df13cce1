"""Tagged sentences in, findings about their words out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from nlp_transfer.data.visible import shown
from nlp_transfer.doctor.characters import FAULTS, Fault, faults_found, faults_of, is_invisible
from nlp_transfer.doctor.finding import Finding, Tally, agree, counted
from nlp_transfer.doctor.rows import columns
from nlp_transfer.records import Splits

_LONG_WORD = 100
_LONG_SENTENCE = 500
_NOTABLE_SHARE = 0.01

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
