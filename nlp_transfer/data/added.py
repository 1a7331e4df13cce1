"""Training examples of our own making in, splits with them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from nlp_transfer.data.tables import fingerprint, iterate, write_table
from nlp_transfer.records import LossLedger, Prediction, Splits, Tagging


def with_added(splits: Splits, rows: Sequence[Mapping[str, Any]]) -> Splits:
    """Append rows to the training split, and count them in its ledger.

    rows: as `Splits` hold them; columns that they leave out are empty
    """
    train = splits["train"]
    table = write_table(chain(iterate(train), _whole(rows)), train.features.arrow_schema)
    ledger = splits.losses.get("train", LossLedger()) + LossLedger(examples_added=len(rows))
    return replace(
        splits,
        datasets={**splits.datasets, "train": table},
        fingerprints={**splits.fingerprints, "train": fingerprint(table)},
        losses={**splits.losses, "train": ledger},
    )


def labelled(row: Mapping[str, Any], prediction: Prediction) -> dict[str, Any]:
    """Give a row the labels that a model predicts for it, of which none is lost."""
    if isinstance(prediction, Tagging):
        return {**row, "tags": list(prediction.tags), "lost": []}
    return {**row, "labels": list(prediction.labels)}


def _whole(rows: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Give tagged rows an empty list of lost entities: theirs were all made by words."""
    return ({"lost": [], **row} if "words" in row else row for row in rows)
