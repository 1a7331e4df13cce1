"""A recipe in, the splits of its data out, checked before any time is spent on a model."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from nlp_transfer.data.unread import not_read
from nlp_transfer.doctor.finding import counted
from nlp_transfer.doctor.repeats import count_repeats, leaks
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import Recipe, Section
from nlp_transfer.records import LossLedger, Repeats, Splits
from nlp_transfer.tasks.base import Task

log = logging.getLogger(__name__)

_READING = {
    "tags_repaired": "tags broke their scheme and were repaired",
    "spans_trimmed": "spans began or ended with white space, which was cut off",
    "spans_expanded": "spans were widened to whole words",
    "entities_dropped": "entities cannot be held by words; recall counts them as not found",
    "pairs_incomplete": "rows of pairs have no second text; the first is read alone",
    "examples_dropped": "rows were left out (no words, text or label)",
}


def load_splits(recipe: Recipe[Task, Section], needed: Sequence[str]) -> Splits:
    """Load and check the data of a recipe.

    needed: the splits that must be there, hold examples and have labels
    raises: UserError before any time is spent on a model
    """
    log.info("reading the data: %s", recipe.data.source)
    splits = recipe.task.rows.load(recipe.data)
    recipe.task.rows.check(splits, tuple(dict.fromkeys(needed)))
    for split, losses in splits.losses.items():
        for name, text in _READING.items():
            if count := getattr(losses, name):
                log.warning("%s: %d %s", split, count, text)
        for column in splits.unread.get(split, ()):
            log.warning("%s: %s", split, not_read(column))
    return splits


def load_repeats(task: Task, splits: Splits, scored: Sequence[str]) -> dict[str, Repeats]:
    """Count what repeats in the scored splits, and warn of leaks before any time is spent."""
    found = count_repeats(splits, scored, task.rows)
    for split, repeats in found.items():
        examples = counted(len(splits[split]), task.rows.nouns.example)
        if leak := leaks(repeats, examples):
            log.warning("%s: %s (nlpt inspect shows them)", split, leak)
    return found


def check_lost(recipe: Recipe[Task, Section], split: str, ledger: LossLedger) -> None:
    """Refuse a split that loses a greater share of its gold entities than the recipe allows."""
    limit = recipe.evaluation.max_lost_entities
    lost = ledger.entities_truncated + ledger.entities_dropped + ledger.entities_unseen_type
    if limit is None or not lost or lost / ledger.entities <= limit:
        return
    raise UserError(
        f"The {split} split loses {lost} of {ledger.entities} gold entities "
        f"({lost / ledger.entities:.2%}; evaluation.max_lost_entities allows {limit:.2%}): "
        f"{ledger.entities_truncated} have a word not read in full, {ledger.entities_dropped} "
        f"cannot be held by words, {ledger.entities_unseen_type} are of a type unseen in train."
    )
