"""A file of texts in, rows without labels out, as a task reads them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.data.unlabelled import unlabelled_items
from nlp_transfer.data.words import split_words
from nlp_transfer.doctor.rows import loose_key
from nlp_transfer.errors import UserError
from nlp_transfer.records import Row, Splits
from nlp_transfer.strategies.context import RunContext, TransferRecipe
from nlp_transfer.tasks.optional import Additions


def additions_of(run: RunContext) -> Additions:
    """Return what makes rows of texts; that the task has it was checked with the recipe."""
    additions = run.recipe.task.additions
    assert additions is not None
    return additions


def texts_of(texts: str | None, recipe: TransferRecipe, *, setting: str) -> tuple[str, str]:
    """Choose the file of unlabelled texts of a strategy: its own, else the data's.

    setting: the key that names its own
    returns: the file, and the key that names it
    raises:  UserError where neither is there
    """
    if texts is not None:
        return texts, setting
    if recipe.data.unlabelled is not None:
        return recipe.data.unlabelled, "data.unlabelled"
    raise UserError(no_texts(setting))


def no_texts(setting: str) -> str:
    """Say that a strategy has no texts to read."""
    return f"{setting} is null, and so is data.unlabelled: name a file of unlabelled texts in one."


def unlabelled_rows(path: str, run: RunContext, *, setting: str) -> list[dict[str, Any]]:
    """Read texts as the task of a run reads them, words split by the run's rule."""
    additions, split = additions_of(run), partial(split_words, rule=run.recipe.data.words)
    return [
        {**additions.unlabelled(item, split), "where": where}
        for where, item in unlabelled_items(path, setting=setting, data=run.recipe.data)
    ]


def not_in(
    splits: Splits, rows: Sequence[dict[str, Any]], additions: Additions
) -> list[dict[str, Any]]:
    """Choose the rows whose text is in no split, however it is spaced and capitalised."""

    def key(row: Row) -> int:
        return loose_key(" | ".join(map(" ".join, additions.words(row).values())))

    known = {key(row) for split in splits for row in iterate(splits[split])}
    return [row for row in rows if key(row) not in known]
