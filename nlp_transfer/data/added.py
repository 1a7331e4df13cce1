"""Training examples of our own making in, splits with them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from random import Random
from typing import Any

from nlp_transfer.data.arrow_tables import fingerprint, iterate, write_table
from nlp_transfer.records import LossLedger, Row, Splits

Alter = Callable[[Row, str], dict[str, Any]]
"""Alters columns of a row; the same seed gives the same."""
_LEAST_LETTERS = 4
"""Shorter words are not misspelled: what is left of them might be another word."""


def with_added(splits: Splits, rows: Sequence[Mapping[str, Any]]) -> Splits:
    """Append rows to the training split, and count them in its ledger.

    rows: labelled; columns that they leave out are empty
    """
    train = splits["train"]
    table = write_table(chain(iterate(train), rows), train.features.arrow_schema)
    ledger = splits.losses.get("train", LossLedger()) + LossLedger(examples_added=len(rows))
    return replace(
        splits,
        datasets={**splits.datasets, "train": table},
        fingerprints={**splits.fingerprints, "train": fingerprint(table)},
        losses={**splits.losses, "train": ledger},
    )


def altered_copies(
    rows: Sequence[Row], alter: Alter, *, copies: int, seed: int, how: str
) -> Iterator[dict[str, Any]]:
    """Alter each row several times; a copy that came out unaltered would only repeat it.

    how: what `alter` does to a row, to say where the copy is from
    """
    for copy in range(copies):
        for number, row in enumerate(rows):
            changed = alter(row, f"{seed}-{copy}-{number}")
            if any(changed[column] != row[column] for column in changed):
                yield {**row, **changed, "document": None, "where": f"{row['where']} {how}"}


def misspelled(word: str, rng: Random) -> str:
    """Swap two letters that stand together, leave one out, or double one."""
    if len(word) < _LEAST_LETTERS or not word.isalpha():
        return word
    place = rng.randrange(1, len(word) - 1)  # the first letter is seldom mistyped
    before, letter, following = word[:place], word[place], word[place + 1 :]
    return rng.choice(
        (
            before + following[0] + letter + following[1:],
            before + following,
            before + letter + letter + following,
        )
    )
