"""Frozen values passed between the rooms."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from operator import add, attrgetter
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from datasets import Dataset

SplitName = Literal["train", "validation", "test"]
Row = Mapping[str, Any]
"""One row of a split, by column; which columns there are, the task says."""
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class LossLedger:
    """What a split holds, and what of it the model could not use in full."""

    sentences: int = 0
    """Sentences (NER) or texts (classification)."""
    words: int = 0
    """Words; for classification, what white space separates."""
    entities: int = 0
    """Gold entities of the file: the denominator of recall."""
    windows: int = 0
    """Runs of pieces that the model reads; more than `sentences` when long ones are cut."""
    words_truncated: int = 0
    """Words of which the model saw nothing or not all pieces."""
    words_without_pieces: int = 0
    """Words that the tokenizer drops; they are fed as its unknown token."""
    entities_unseen_type: int = 0
    """Gold entities of a type that the training split does not have."""
    labels_unseen: int = 0
    """Gold class labels that the training split does not have."""
    tags_repaired: int = 0
    """Tags that broke their own scheme and were read as the start of an entity."""
    spans_trimmed: int = 0
    """Character spans that began or ended with white space, which was cut off."""
    spans_expanded: int = 0
    """Character spans that began or ended inside a word and were widened to whole words."""
    entities_dropped: int = 0
    """Gold entities that words cannot hold, left out as the recipe says; recall counts them."""
    entities_truncated: int = 0
    """Gold entities with a word that the model did not see in full."""
    examples_dropped: int = 0
    """Rows without words, or left out as the recipe says because text or label is missing."""
    pairs_incomplete: int = 0
    """Rows of a split of pairs that have no second text; their first is read alone."""
    examples_added: int = 0
    """Training examples that a strategy made; they are among `sentences` and `entities`."""
    examples_left_out: int = 0
    """Training examples that the recipe does not let the model learn from (data.train_examples)."""

    def __add__(self, other: LossLedger) -> LossLedger:
        return LossLedger(*map(add, _COUNTS(self), _COUNTS(other)))

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True)
class Repeats:
    """What of a scored split occurs more than once, however it is spaced and capitalised."""

    in_train: int = 0
    """Examples that training has seen too."""
    in_validation: int = 0
    """Examples of the test split by which the best model was chosen too."""
    duplicates: int = 0
    """Examples that repeat an earlier one of their split, with its labels."""
    conflicts: int = 0
    """Examples whose text has other labels at another place: no model can get all of them right."""
    seen: int = 0
    """Examples in train or validation."""
    seen_rows: tuple[int, ...] = field(default=(), compare=False)
    """Their row numbers; not kept in files."""

    def as_dict(self) -> dict[str, int]:
        return {name: count for name, count in asdict(self).items() if name != "seen_rows"}


@dataclass(frozen=True)
class Nouns:
    """What people call the examples of a task, and what these are labelled with."""

    example: str
    """One row."""
    item: str
    """What bears a label."""
    items: str
    label: str
    """What the items are sorted into."""
    labels: str
    answers: str
    """What a row is labelled with, several."""
    unlabelled: str = ""
    """What to do where a row may have no label."""


_COUNTS = attrgetter(*(count.name for count in fields(LossLedger)))


@dataclass(frozen=True)
class Splits:
    """Loaded and normalised data: one `datasets.Dataset` a split.

    NER rows:            words: list[str], tags: list[str] (IOB2), lost: list[str] (types of gold
                         entities that words cannot hold)
    classification rows: text: str, text_pair: str or None, labels: list[str] or None
    all rows:            document: str or None, id: str or None, where: str ("file:line"); where
                         the recipe has `data.slices`, slices: list[str or None], one for each
    """

    datasets: Mapping[str, Dataset]
    labels: tuple[str, ...]
    """Entity types (NER) or class names, in a stable order."""
    fingerprints: Mapping[str, str]
    """SHA-256 of the normalised rows of each split, wherever they lie."""
    losses: Mapping[str, LossLedger] = field(default_factory=dict)
    """What reading cost each split: repaired tags, trimmed spans, dropped rows."""
    unread: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns of each split that hold texts and are not read."""

    def __getitem__(self, split: str) -> Dataset:
        return self.datasets[split]

    def __contains__(self, split: str) -> bool:
        return split in self.datasets

    def __iter__(self) -> Iterator[str]:
        return iter(self.datasets)


@dataclass(frozen=True)
class EncodedSplit:
    """One split as the model reads it: a `Dataset` of windows, and its ledger.

    windows rows: example (row of the split), input_ids, labels, and what the task adds
    """

    windows: Dataset
    ledger: LossLedger

    @cached_property
    def lengths(self) -> list[int]:
        """Pieces of each window."""
        import pyarrow.compute as pc

        lengths: list[int] = pc.list_value_length(self.windows.data.column("input_ids")).to_pylist()
        return lengths

    def pieces(self) -> list[int]:
        """List the ids of the pieces in all windows, each once."""
        import pyarrow.compute as pc

        pieces = pc.list_flatten(self.windows.data.column("input_ids"))
        different: list[int] = pc.unique(pieces).to_pylist()
        return different


class Prediction(Protocol):
    """What a task predicts for one example."""

    @property
    def answers(self) -> Sequence[Hashable]:
        """What is chosen: an answer for each item that has a label."""


@dataclass(frozen=True)
class CardFacts:
    """What a model card says of a task."""

    pipeline_tag: str
    """The Hub's name of the task."""
    does: str
    """What the model does, in a sentence."""
    labels: str
    """What people call the labels."""
    auto_class: str
    """The transformers class that loads such a model."""
    difference: str = ""
    """Why transformers' own pipeline answers otherwise than nlp_transfer, as Markdown."""
