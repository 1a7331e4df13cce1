"""Training examples of our own making in, splits with them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from nlp_transfer.data.tables import fingerprint, iterate, write_table
from nlp_transfer.records import LossLedger, Splits


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
