"""The data doctor: splits in, findings out. Each check is a pure function from splits to findings.

A check goes through the rows in batches and keeps counts, hashes and a few places, never texts,
so that its memory does not grow with their length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nlp_transfer.doctor import classes, entities, labels, texts, words
from nlp_transfer.doctor.duplicates import conflicting_labels, duplicates, leakage
from nlp_transfer.doctor.files import files
from nlp_transfer.doctor.finding import SEVERITIES, Finding, Severity
from nlp_transfer.doctor.ids import duplicate_ids
from nlp_transfer.doctor.losses import losses, unread_texts
from nlp_transfer.doctor.pieces import count_pieces, is_uncased
from nlp_transfer.doctor.raw_text import raw_text
from nlp_transfer.doctor.rows import is_ner
from nlp_transfer.doctor.summary import summarise
from nlp_transfer.recipe import WordRule
from nlp_transfer.records import Splits

Check = Callable[[Splits], Iterator[Finding]]

ALWAYS: tuple[Check, ...] = (
    labels.amounts,
    losses,
    leakage,
    duplicates,
    conflicting_labels,
    labels.names,
    duplicate_ids,
)
NER: tuple[Check, ...] = (
    labels.unseen_tags,
    entities.inconsistent_types,
    entities.missed_annotations,
    entities.shapes,
    words.words,
    words.sentence_lengths,
)
CLASSIFICATION: tuple[Check, ...] = (
    unread_texts,
    classes.unlabelled,
    classes.joined_labels,
    classes.order,
    texts.texts,
    texts.quotes,
)

__all__ = [
    "SEVERITIES",
    "Finding",
    "Severity",
    "count_pieces",
    "examine",
    "is_uncased",
    "summarise",
]


def examine(splits: Splits, *, words: WordRule = "unicode") -> Iterator[Finding]:
    """Run every check that fits the data.

    words: how raw text will be split for a model that learns from tagged sentences
    """
    ner = any(is_ner(splits[split]) for split in splits)
    for check in (*ALWAYS, *(NER if ner else CLASSIFICATION), files):
        yield from check(splits)
    if ner:
        yield from raw_text(splits, words)
