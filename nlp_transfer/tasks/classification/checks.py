"""Texts to classify in, what only they and their labels can have wrong out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from nlp_transfer.data.visible import shown
from nlp_transfer.doctor.characters import FAULTS, Fault, faults_found, faults_of, says_something
from nlp_transfer.doctor.finding import Example, Finding, Tally, counted
from nlp_transfer.doctor.labels import amounts, imbalance, listed
from nlp_transfer.doctor.losses import unread_texts
from nlp_transfer.doctor.rows import columns
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import Splits
from nlp_transfer.tasks.classification.class_names import joined
from nlp_transfer.tasks.classification.rows import ClassificationRows

_FEW_ROWS = 20  # fewer say nothing of their order
_LONG_TEXT = 500
# A whole CSV field with its quotes still on, quotes inside doubled.
_QUOTED = re.compile(r'\s*"(?:[^"]|"")*"\s*', re.DOTALL)

_FAULTS = {
    "outer_blanks": Fault(
        "info",
        "that begin or end with white space",
        "Strip them: it hides copies of one text from one another.",
    ),
    "line_breaks": Fault(
        "info",
        "with a line break inside",
        "Nothing to do here; tools that read line by line count them wrong.",
    ),
    "empty_texts": Fault(
        "warning",
        "without a letter, digit or picture",
        "Leave them out, or check data.columns.text.",
    ),
    "long_texts": Fault(
        "info",
        f"of more than {_LONG_TEXT} words",
        "Read in windows here unless the recipe says task.long_texts=truncate; other tools cut "
        "them off.",
    ),
    **FAULTS,
}


@dataclass(frozen=True)
class ClassificationChecks:
    """What may be wrong with texts and their classes."""

    rows: ClassificationRows

    def amounts(self, splits: Splits) -> Iterator[Finding]:
        """Find too few classes, and classes that are missing, rare or far more frequent."""
        counts = {split: self.rows.label_counts(splits[split]) for split in splits}
        train = counts.get("train", Counter())
        if "train" in splits and len(train) < 2:
            yield Finding(
                "single_class",
                "error",
                f"training needs at least 2 classes; found {', '.join(train) or 'none'}",
                "Check data.columns.label and data.splits.train.",
                split="train",
            )
            return
        yield from amounts(splits, counts, self.rows.nouns)
        single = [name for name in splits.labels if train[name] == 1]
        if single:
            yield Finding(
                "singleton_classes",
                "warning",
                f"{counted(len(single), 'class', 'classes')} with one example: {listed(single)}",
                "Add examples: one text cannot be in train and in a split held out from it.",
                count=len(single),
                split="train",
            )
        yield from imbalance(splits, counts, "warning")  # macro F1 counts a class that drowns

    def own(self, splits: Splits) -> Iterator[Finding]:
        """Find doubtful labels and texts, and texts that are not read."""
        checks = (unread_texts, unlabelled, joined_labels, order, texts, quotes)
        return chain.from_iterable(check(splits) for check in checks)

    def raw_text(self, splits: Splits, data: DataSection) -> Iterator[Finding]:
        """Find nothing: texts are not split into words."""
        return iter(())


def unlabelled(splits: Splits) -> Iterator[Finding]:
    """Find texts without a label; an empty list of labels is one for a multi-label task."""
    for split in splits:
        tally = Tally()
        for where, text, labels in columns(splits[split], "where", "text", "labels"):
            if labels is None:
                tally.add(where, shown(text))
        if tally.count:
            yield tally.finding(
                "unlabelled",
                "error" if split == "train" else "warning",
                f"{counted(tally.count, 'text')} of {len(splits[split]):,} without a label",
                f"Choose a labelled split with data.splits.{split}, or null to split one off.",
                split=split,
            )


def joined_labels(splits: Splits) -> Iterator[Finding]:
    """Find classes that are several labels in one, such as "joy|anger" beside "joy"."""
    rows = (labels for split in splits for (labels,) in columns(splits[split], "labels"))
    if any(labels is not None and len(labels) != 1 for labels in rows):
        return  # several labels a text are read as such
    if found := joined(splits.labels):
        name, mark = found
        separator = "" if mark == "|" else f" data.label_separator='{mark}'"
        yield Finding(
            "labels_joined",
            "warning",
            f'{shown(name)} is read as one class, but looks like several, separated by "{mark}"',
            f"If a text may have several labels, or none: task.multi_label=true{separator}",
        )


def order(splits: Splits) -> Iterator[Finding]:
    """Find a training file sorted by class, whose head holds one class only."""
    if "train" not in splits:
        return
    rows = splits["train"]
    changes, before, start = 0, None, ""
    counts: Counter[tuple[str, ...]] = Counter()
    for where, labels in columns(rows, "where", "labels"):
        label = tuple(labels or ())
        start = start or where
        changes += before is not None and label != before
        counts[label] += 1
        before = label
    total = sum(counts.values())
    if total < _FEW_ROWS or len(counts) < 2:
        return
    shuffled = (total - 1) * (1 - sum((count / total) ** 2 for count in counts.values()))
    if changes < shuffled / 10:
        yield Finding(
            "sorted_by_label",
            "info",
            f"the texts are sorted by class: it changes {counted(changes, 'time')} in "
            f"{counted(total, 'text')}, shuffled about {shuffled:,.0f} times",
            "Nothing to do here: training shuffles. Never take the head of the file as a sample.",
            count=changes,
            split="train",
            examples=(Example(start, ", ".join(next(iter(counts)))),),
        )


def texts(splits: Splits) -> Iterator[Finding]:
    """Find texts with stray white space, markup, or nothing to read."""
    for split in splits:
        tallies = {code: Tally() for code in _FAULTS}
        for where, *pair in columns(splits[split], "where", "text", "text_pair"):
            for text in pair:
                for code in () if text is None else _text_faults(text):
                    tallies[code].add(where, shown(text))
        yield from faults_found(tallies, _FAULTS, split, "text")


def _text_faults(text: str) -> Iterator[str]:
    if text != text.strip():
        yield "outer_blanks"
    if "\n" in text or "\r" in text:
        yield "line_breaks"
    if not says_something(text):
        yield "empty_texts"
    if text.count(" ") >= _LONG_TEXT and len(text.split()) > _LONG_TEXT:
        yield "long_texts"
    yield from faults_of(text)


def quotes(splits: Splits) -> Iterator[Finding]:
    """Find texts whose enclosing quotes were read as part of the text."""
    for split in splits:
        total = len(splits[split])
        quoted, sure = Tally(), False
        for where, text in columns(splits[split], "where", "text"):
            if '"' in text and _QUOTED.fullmatch(text):
                sure = sure or '""' in text.strip()[1:-1]
                quoted.add(where, shown(text))
        # Quotes around a text are at home in a few texts, not in most of them.
        if quoted.count and (sure or quoted.count > total / 2):
            yield quoted.finding(
                "quoted_texts",
                "warning",
                f"{counted(quoted.count, 'text')} in quotes, as a CSV file encloses its fields",
                "Set data.quoted=true if the quotes are not part of the texts.",
                split=split,
            )
