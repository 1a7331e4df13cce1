"""Splits in, a clear error out where training on them would be wasted, whatever the task."""

from __future__ import annotations

import logging

from nlp_transfer.data.visible import alike, look, told_apart
from nlp_transfer.errors import UserError
from nlp_transfer.records import LossLedger, Splits

log = logging.getLogger(__name__)


def keys_of_train(splits: Splits) -> str:
    """Name the keys that decide what the train split holds, for error messages."""
    left_out = splits.losses.get("train", LossLedger()).examples_left_out
    more = f", and data.train_examples: it leaves out {left_out:,} examples" if left_out else ""
    return f"data.splits.train{more}"


def check_splits(splits: Splits, needed: tuple[str, ...]) -> None:
    """Refuse missing or empty splits; name labels that nobody can tell apart by their look."""
    for name in needed:
        if name not in splits:
            raise UserError(
                f"The data has no {name} split ({', '.join(splits) or 'none'}). "
                f"Give it with data.splits.{name}=NAME."
            )
        if len(splits[name]) == 0:
            raise UserError(f"The {name} split is empty. Check data.splits.{name}.")
    for group in alike(splits.labels, look):
        log.warning(
            "The labels %s look the same, and are learned as different ones. Write them one way.",
            told_apart(group),
        )
