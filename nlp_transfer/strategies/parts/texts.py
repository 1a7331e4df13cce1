"""A file of texts in, rows without labels out, as a task reads them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.data.unlabelled import unlabelled_items
from nlp_transfer.data.words import split_words
from nlp_transfer.records import Splits
from nlp_transfer.strategies.context import RunContext
from nlp_transfer.tasks.optional import Additions


def additions_of(run: RunContext) -> Additions:
    """Return what makes rows of texts; that the task has it was checked with the recipe."""
    additions = run.recipe.task.additions
    assert additions is not None
    return additions


def unlabelled_rows(path: str, run: RunContext, *, setting: str) -> list[dict[str, Any]]:
    """Read texts as the task of a run reads them, words split by the run's rule."""
    additions, split = additions_of(run), partial(split_words, rule=run.recipe.data.words)
    return [
        {**additions.unlabelled(item, split), "where": where}
        for where, item in unlabelled_items(path, setting=setting)
    ]


def not_in(
    splits: Splits, rows: Sequence[dict[str, Any]], additions: Additions
) -> list[dict[str, Any]]:
    """Choose the rows whose text is in no split."""
    known = {additions.key(row) for split in splits for row in iterate(splits[split])}
    return [row for row in rows if additions.key(row) not in known]
