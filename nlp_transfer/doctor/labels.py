"""Splits in, findings about their entity types, tags or classes out."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping

from nlp_transfer.data.visible import alike, meaning, shown, told_apart
from nlp_transfer.doctor.finding import Finding, Severity, counted
from nlp_transfer.errors import shortened
from nlp_transfer.records import Nouns, Splits

_RARE = 5
_IMBALANCE = 10
_NAMES_SHOWN = 8


Counts = Mapping[str, Counter[str]]
"""How often each label is given in each split."""


def amounts(splits: Splits, counts: Counts, nouns: Nouns) -> Iterator[Finding]:
    """Find labels that are missing or rare."""
    if "train" not in splits:
        return
    train = counts["train"]
    for split in splits:
        yield from _unseen(counts[split], train, split, nouns)
    unused = [name for name in splits.labels if not any(c[name] for c in counts.values())]
    yield from _unused(unused, nouns)
    yield from _rare(_declared(splits, train), nouns)


def imbalance(splits: Splits, counts: Counts, severity: Severity) -> Iterator[Finding]:
    """Find labels that train has far more often than others."""
    train = _declared(splits, counts.get("train", Counter()))
    if len(train) < 2:
        return
    most, least = max(train, key=train.__getitem__), min(train, key=train.__getitem__)
    ratio = train[most] / train[least]
    if ratio >= _IMBALANCE:
        yield Finding(
            "imbalance",
            severity,
            f"{most} is {ratio:.0f} times as frequent as {least} "
            f"({train[most]:,} and {train[least]:,})",
            "Compare macro F1, not accuracy; add examples of the rare ones.",
            split="train",
        )


def _declared(splits: Splits, train: Counter[str]) -> dict[str, int]:
    return {name: train[name] for name in splits.labels if train[name]}


def _unseen(
    counts: Counter[str], train: Counter[str], split: str, nouns: Nouns
) -> Iterator[Finding]:
    unseen = {name: count for name, count in counts.items() if name not in train}
    if unseen:
        total = sum(unseen.values())
        yield Finding(
            "labels_unseen_in_train",
            "warning",
            f"{counted(total, nouns.item, nouns.items)} of "
            f"{counted(len(unseen), nouns.label, nouns.labels)} that train does not have: "
            f"{named(unseen)}",
            "They cannot be found by a model that has never seen one: add examples to train.",
            count=total,
            split=split,
        )


def _unused(names: list[str], nouns: Nouns) -> Iterator[Finding]:
    if names:
        yield Finding(
            "labels_unused",
            "info",
            f"{counted(len(names), nouns.label, nouns.labels)} without one example: "
            f"{listed(names)}",
            f"Leave them out of task.{nouns.labels}, unless examples are still to come.",
            count=len(names),
        )


def _rare(train: dict[str, int], nouns: Nouns) -> Iterator[Finding]:
    rare = {name: count for name, count in train.items() if count < _RARE}
    if rare:
        yield Finding(
            "rare_labels",
            "info",
            f"{counted(len(rare), nouns.label, nouns.labels)} with fewer than {_RARE} examples: "
            f"{named(rare)}",
            "Add examples, or join them with a similar one: so few teach little.",
            count=len(rare),
            split="train",
        )


def names(splits: Splits) -> Iterator[Finding]:
    """Find labels that are hard to tell apart, or hard to use as names."""
    groups = alike(splits.labels, meaning)
    if groups:
        yield Finding(
            "labels_alike",
            "warning",
            "labels that differ only by case, blanks, punctuation or what cannot be seen: "
            + "; ".join(map(told_apart, groups[:5])),
            "Write each label one way at its source: as they are, they are learned as different "
            "ones.",
            count=len(groups),
        )
    unusual = [name for name in splits.labels if _is_unusual(name)]
    if unusual:
        yield Finding(
            "labels_unusual",
            "info",
            f"{counted(len(unusual), 'label')} with unusual characters: "
            + listed([shown(name) for name in unusual]),
            "They work here; take care where labels become file names, keys or columns.",
            count=len(unusual),
        )


def _is_unusual(name: str) -> bool:
    """Tell a name with more than letters, digits and the marks on them, blanks and _ - & / ."""
    return any(c not in " _-&/." and unicodedata.category(c)[0] not in "LMN" for c in name)


def named(counts: Mapping[str, int]) -> str:
    """List labels with their counts, the most frequent first."""
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    return listed([f"{name} ({counts[name]:,})" for name in ranked])


def listed(names: list[str]) -> str:
    """List names, the first few of many."""
    return shortened(names, _NAMES_SHOWN)
