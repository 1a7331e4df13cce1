"""Splits in, findings about their entity types, tags or classes out."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator

from nlp_transfer.data.label_counts import label_counts
from nlp_transfer.data.visible import alike, meaning, shown, told_apart
from nlp_transfer.doctor.finding import Finding, agree, counted
from nlp_transfer.doctor.rows import columns, is_ner
from nlp_transfer.errors import shortened
from nlp_transfer.records import Splits

_RARE = 5
_IMBALANCE = 10
_NAMES_SHOWN = 8


def amounts(splits: Splits) -> Iterator[Finding]:
    """Find labels that are missing, rare or far more frequent than others."""
    ner = any(is_ner(splits[split]) for split in splits)
    counts = {split: label_counts(splits[split]) for split in splits}
    if ner:
        for split in splits:
            if not counts[split]:
                yield _no_entities(split)
    if "train" not in splits:
        return
    train = counts["train"]
    if not ner and len(train) < 2:
        yield _one_class(train)
        return
    for split in splits:
        yield from _unseen(counts[split], train, split, ner=ner)
    declared = {name: train[name] for name in splits.labels if train[name]}
    unused = [name for name in splits.labels if not any(c[name] for c in counts.values())]
    yield from _unused(unused, ner=ner)
    yield from _rare(declared, ner=ner)
    yield from _imbalance(declared, ner=ner)


def _no_entities(split: str) -> Finding:
    return Finding(
        "no_entities",
        "error" if split == "train" else "warning",
        "no entities: every tag is O, so entity F1 is undefined",
        "Check data.columns.tags and the file.",
        split=split,
    )


def _one_class(train: Counter[str]) -> Finding:
    return Finding(
        "single_class",
        "error",
        f"training needs at least 2 classes; found {', '.join(train) or 'none'}",
        "Check data.columns.label and data.splits.train.",
        split="train",
    )


def _unseen(
    counts: Counter[str], train: Counter[str], split: str, *, ner: bool
) -> Iterator[Finding]:
    unseen = {name: count for name, count in counts.items() if name not in train}
    if unseen:
        total = sum(unseen.values())
        noun, plural = ("entity", "entities") if ner else ("text", "texts")
        kind, kinds = ("type", "types") if ner else ("class", "classes")
        yield Finding(
            "labels_unseen_in_train",
            "warning",
            f"{counted(total, noun, plural)} of {counted(len(unseen), kind, kinds)} that train "
            f"does not have: {_named(unseen)}",
            "They cannot be found by a model that has never seen one: add examples to train.",
            count=total,
            split=split,
        )


def _unused(names: list[str], *, ner: bool) -> Iterator[Finding]:
    if names:
        kind = ("type", "types") if ner else ("class", "classes")
        yield Finding(
            "labels_unused",
            "info",
            f"{counted(len(names), *kind)} without one example: {_listed(names)}",
            f"Leave them out of task.{kind[1]}, unless examples are still to come.",
            count=len(names),
        )


def _rare(train: dict[str, int], *, ner: bool) -> Iterator[Finding]:
    noun, plural = ("type", "types") if ner else ("class", "classes")
    rare = {name: count for name, count in train.items() if count < _RARE}
    if rare:
        yield Finding(
            "rare_labels",
            "info",
            f"{counted(len(rare), noun, plural)} with fewer than {_RARE} examples: {_named(rare)}",
            "Add examples, or join them with a similar one: so few teach little.",
            count=len(rare),
            split="train",
        )
    single = [name for name, count in rare.items() if count == 1]
    if single and not ner:
        yield Finding(
            "singleton_classes",
            "warning",
            f"{counted(len(single), noun, plural)} with one example: {_listed(single)}",
            "Add examples: one text cannot be in train and in a split held out from it.",
            count=len(single),
            split="train",
        )


def _imbalance(train: dict[str, int], *, ner: bool) -> Iterator[Finding]:
    if len(train) < 2:
        return
    most, least = max(train, key=train.__getitem__), min(train, key=train.__getitem__)
    ratio = train[most] / train[least]
    if ratio >= _IMBALANCE:
        # Types of entities differ by nature; a class that drowns is lost to macro F1.
        yield Finding(
            "imbalance",
            "info" if ner else "warning",
            f"{most} is {ratio:.0f} times as frequent as {least} "
            f"({train[most]:,} and {train[least]:,})",
            "Compare macro F1, not accuracy; add examples of the rare ones.",
            split="train",
        )


def unseen_tags(splits: Splits) -> Iterator[Finding]:
    """Find tags, I-x for one, that train lacks though it has their type."""
    if "train" not in splits:
        return
    train = {tag for (tags,) in columns(splits["train"], "tags") for tag in tags}
    types = {tag[2:] for tag in train}
    for split in splits:
        missing: Counter[str] = Counter()
        for (tags,) in columns(splits[split], "tags"):
            missing.update(tag for tag in tags if tag not in train and tag[2:] in types)
        if missing:
            yield Finding(
                "tags_unseen_in_train",
                "info",
                f"{_named(missing)} {agree(len(missing), 'does', 'do')} not occur in train",
                "Nothing to do: labels are made per type, so the tag exists; training has no "
                "example of it.",
                count=len(missing),
                split=split,
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
            + _listed([shown(name) for name in unusual]),
            "They work here; take care where labels become file names, keys or columns.",
            count=len(unusual),
        )


def _is_unusual(name: str) -> bool:
    """Tell a name with more than letters, digits and the marks on them, blanks and _ - & / ."""
    return any(c not in " _-&/." and unicodedata.category(c)[0] not in "LMN" for c in name)


def _named(counts: dict[str, int]) -> str:
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    return _listed([f"{name} ({counts[name]:,})" for name in ranked])


def _listed(names: list[str]) -> str:
    return shortened(names, _NAMES_SHOWN)
