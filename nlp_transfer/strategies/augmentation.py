"""Augmentation: altered copies of the training examples (Dai and Adel 2020; Wei and Zou 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Literal

from pydantic import Field

from nlp_transfer.data.added import altered_copies, with_added
from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.records import Splits
from nlp_transfer.strategies.base import Stage, Strategy
from nlp_transfer.strategies.context import RunContext, TransferRecipe
from nlp_transfer.tasks import names_with
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.optional import Alterations


class Augmentation(Strategy):
    """Add altered copies of every training example; validation and test stay as they are."""

    stage: ClassVar[Stage] = Stage.ROWS
    # Alters whatever there is to learn from, what others have added too.
    order: ClassVar[int] = 50

    name: Literal["augmentation"] = "augmentation"
    copies: int = Field(1, ge=1, le=1000, description="altered copies of each training example")
    typos: float = Field(0.02, ge=0, le=1, description="share of the longer words misspelled")
    replace_entities: float | None = Field(
        None,
        ge=0,
        le=1,
        examples=[0.5],
        description="NER: share of entities replaced by others of their type",
    )
    change_case: float | None = Field(
        None,
        ge=0,
        le=1,
        examples=[0.1],
        description="NER: share of sentences put in lower, upper or title case",
    )
    join_sentences: float | None = Field(
        None,
        ge=0,
        le=1,
        examples=[0.1],
        description="NER: share of sentences that another is appended to",
    )
    drop_words: float | None = Field(
        None, ge=0, lt=1, examples=[0.1], description="classification: share of words left out"
    )
    swap_words: float | None = Field(
        None,
        ge=0,
        le=1,
        examples=[0.1],
        description="classification: share of words that change places",
    )

    @staticmethod
    def needs(task: Task) -> Alterations | None:
        """Alter rows."""
        return task.alterations

    def add_rows(self, splits: Splits, run: RunContext) -> Splits:
        """Add the copies to the training split."""
        alterations = self.needs(run.recipe.task)
        assert alterations is not None
        train = list(iterate(splits["train"]))
        given = self.model_dump(include=set(alterations.shares), exclude_none=True)
        alter = alterations.of(train, typos=self.typos, shares={**alterations.shares, **given})
        seed = run.recipe.training.seed
        copies = altered_copies(train, alter, copies=self.copies, seed=seed, how="altered")
        return with_added(splits, list(copies))

    def misfits(self, recipe: TransferRecipe) -> Iterator[str]:
        """Refuse shares of what another task alters."""
        own = self.needs(recipe.task)
        shares = ("typos", *(own.shares if own else ()))
        for name in self.model_dump(exclude={"name", "copies", *shares}, exclude_none=True):
            able = " and ".join(names_with(partial(_default, share=name)))
            yield (
                f"augmentation: {name} is for {able}, the task is {recipe.task.name} "
                f"({', '.join(shares)})"
            )


def _default(task: Task, *, share: str) -> float | None:
    """Return how much a task alters in this way by default; None where it does not."""
    return task.alterations.shares.get(share) if task.alterations else None
