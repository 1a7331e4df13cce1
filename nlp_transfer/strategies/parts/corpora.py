"""Corpora of one task in, the splits of a round that learns them all as one out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.arrow_tables import fingerprint, iterate, write_table
from nlp_transfer.data.splitting import TooFewError, hold_out
from nlp_transfer.doctor.finding import agree, counted
from nlp_transfer.doctor.rows import loose_key, texts
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import LossLedger, Splits

if TYPE_CHECKING:
    from datasets import Dataset

    from nlp_transfer.tasks.base import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpus:
    """A corpus of its own types or classes."""

    key: str
    """The recipe key that it stands under."""
    data: DataSection
    splits: Splits

    @classmethod
    def load(cls, key: str, data: DataSection, task: Task) -> Corpus:
        """Load and check a corpus."""
        try:
            # What is held out is a share of all its parts, by these two (`_with_validation`).
            whole = data.where_lapses(("validation_share", "split_seed"))
            splits = task.of_other_labels().rows.load(whole)
            task.rows.check(splits, ("train",))
        except TooFewError:
            raise UserError(
                f"{key}: {data.source} has too few examples to hold one out for "
                "validation. Leave it out, or give it more."
            ) from None
        except UserError as error:
            raise UserError(f"{key}: {error}{_where_keys_stand(str(error), key)}") from None
        return cls(key, data, splits)

    def labelled(self) -> Iterator[Dataset]:
        """Yield all parts but a test split of its own, which is left alone.

        With `train_examples` those alone.
        """
        for split in self.splits if self.data.train_examples is None else ("train",):
            if split != "test" or split not in self.splits.losses:  # split off: nothing was read
                yield self.splits[split]

    def losses(self) -> LossLedger:
        """Count what reading cost those parts."""
        read = (of for split, of in self.splits.losses.items() if split != "test")
        return sum(read, LossLedger())


def _where_keys_stand(said: str, key: str) -> str:
    """Say where keys of the data section belong that a message names: what it is of is a corpus."""
    return f"\nKeys data... are those of this corpus, under {key}." if "data." in said else ""


def as_one(corpora: Sequence[Corpus], own: Splits, task: Task, *, setting: str) -> Splits:
    """Join corpora: labels of the same name are one.

    Examples that stand in a held-out split of the run's own data are left out, however they are
    spaced and capitalised: scores on it would be of what was learned.

    own:     the run's own data, whose columns the result has
    setting: the recipe key that names the corpora, for messages
    returns: a train and a validation split, the latter a share (`validation_share`) of each corpus
    raises:  UserError where nothing is left that the own data does not have
    """
    known = {split: set(_keys(own[split], task)) for split in own}
    held_out = frozenset[int]().union(*(known[split] for split in known if split != "train"))
    joined = _Joined(task, held_out, known.get("train", set()))
    schema = own["train"].features.arrow_schema
    parts = [
        (write_table(joined.rows(corpus.labelled()), schema), corpus.data) for corpus in corpora
    ]
    nouns = task.rows.nouns
    if not joined.new:
        raise UserError(
            f"{setting}: every {nouns.example} of it stands in the data of the run itself "
            "(data.source). Name another corpus."
        )
    if joined.left_out:
        stand = f"{counted(joined.left_out, nouns.example)} {agree(joined.left_out, 'is', 'are')}"
        log.warning("%s: %s left out: in the run's own validation or test split", setting, stand)
    for rows, data in parts:
        if len(rows) == 1:
            raise UserError(
                f"{setting}: {data.source} has 1 {nouns.example} to learn, too few to hold one out "
                "for validation. Leave it out, or give it more."
            )
    tables = _with_validation([(rows, data) for rows, data in parts if len(rows)])
    count, held = (counted(len(table), nouns.example) for table in tables.values())
    log.info("%s: %s come first, and %s to validate on", setting, count, held)
    return Splits(
        datasets=tables,
        labels=tuple(dict.fromkeys(chain(*(corpus.splits.labels for corpus in corpora)))),
        fingerprints={split: fingerprint(table) for split, table in tables.items()},
        losses={"train": sum((corpus.losses() for corpus in corpora), LossLedger())},
    )


def _with_validation(parts: Sequence[tuple[Dataset, DataSection]]) -> dict[str, Dataset]:
    """Split a share of each corpus off to validate on; put train and validation together."""
    from datasets import concatenate_datasets

    divided = [
        hold_out(rows, data.validation_share, seed=data.split_seed, split="validation", classes=[])
        for rows, data in parts
    ]
    train, validation = zip(*divided, strict=True)
    return {
        "train": concatenate_datasets([*train]),
        "validation": concatenate_datasets([*validation]),
    }


def _keys(rows: Dataset, task: Task) -> Iterator[int]:
    """Hash the text of each row, so that no text has to be kept."""
    return map(loose_key, texts(task.rows, rows))


@dataclass
class _Joined:
    """Rows of several tables, one after the other."""

    task: Task
    held_out: frozenset[int]
    own: set[int]
    """What the training split of the run's own data holds."""
    left_out: int = 0
    new: int = 0

    def rows(self, tables: Iterable[Dataset]) -> Iterator[dict[str, Any]]:
        for table in tables:
            for row, key in zip(iterate(table), _keys(table, self.task), strict=True):
                if key in self.held_out:
                    self.left_out += 1
                    continue
                self.new += key not in self.own
                yield row
