"""Tagged sentences in, what only they can have wrong out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from nlp_transfer.doctor.finding import Finding, agree
from nlp_transfer.doctor.labels import amounts, imbalance, named
from nlp_transfer.doctor.rows import columns
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import Splits
from nlp_transfer.tasks.ner.entity_checks import inconsistent_types, missed_annotations, shapes
from nlp_transfer.tasks.ner.rows import NerRows
from nlp_transfer.tasks.ner.word_checks import raw_text, sentence_lengths, words


@dataclass(frozen=True)
class NerChecks:
    """What may be wrong with words, tags and entities."""

    rows: NerRows

    def amounts(self, splits: Splits) -> Iterator[Finding]:
        """Find splits without entities, and types that are missing, rare or far more frequent."""
        counts = {split: self.rows.label_counts(splits[split]) for split in splits}
        for split in splits:
            if not counts[split]:
                yield Finding(
                    "no_entities",
                    "error" if split == "train" else "warning",
                    "no entities: every tag is O, so entity F1 is undefined",
                    "Check data.columns.tags and the file.",
                    split=split,
                )
        yield from amounts(splits, counts, self.rows.nouns)
        yield from imbalance(splits, counts, "info")  # types of entities differ by nature

    def own(self, splits: Splits) -> Iterator[Finding]:
        """Find doubtful tags, entities and words."""
        checks = (unseen_tags, inconsistent_types, missed_annotations, shapes)
        return chain.from_iterable(check(splits) for check in (*checks, words, sentence_lengths))

    def raw_text(self, splits: Splits, data: DataSection) -> Iterator[Finding]:
        """Find sentences whose text would be split into other words than they have."""
        return raw_text(splits, data.words)


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
                f"{named(missing)} {agree(len(missing), 'does', 'do')} not occur in train",
                "Nothing to do: labels are made per type, so the tag exists; training has no "
                "example of it.",
                count=len(missing),
                split=split,
            )
