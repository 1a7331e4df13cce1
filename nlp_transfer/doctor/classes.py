"""Texts to classify in, findings about the order and the lack of their labels out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from nlp_transfer.data.class_names import joined
from nlp_transfer.data.visible import shown
from nlp_transfer.doctor.finding import Example, Finding, Tally, counted
from nlp_transfer.doctor.rows import columns
from nlp_transfer.records import Splits

_FEW_ROWS = 20  # fewer say nothing of their order


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
