"""Augmentation: altered copies of the training examples (Dai and Adel 2020; Wei and Zou 2019)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from nlp_transfer.data import alter
from nlp_transfer.data.added import with_added
from nlp_transfer.data.tables import iterate
from nlp_transfer.records import Splits
from nlp_transfer.strategies.base import Stage, Strategy
from nlp_transfer.strategies.context import RunContext, TransferRecipe

_DEFAULTS = {
    "ner": {"replace_entities": 0.5, "change_case": 0.0, "join_sentences": 0.1},
    "classification": {"drop_words": 0.1, "swap_words": 0.1},
}
"""What is done where the recipe does not say, by task."""


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

    def add_rows(self, splits: Splits, run: RunContext) -> Splits:
        """Add the copies to the training split."""
        task = run.recipe.task.name
        shares = self._shares(task)
        train = list(iterate(splits["train"]))
        alterations: alter.Sentences | alter.Texts
        if task == "ner":
            alterations = alter.Sentences(train, typos=self.typos, **shares)
        else:
            alterations = alter.Texts(typos=self.typos, **shares)
        return with_added(splits, list(self._copies(train, alterations, run)))

    def _copies(
        self,
        train: Sequence[Mapping[str, Any]],
        alterations: alter.Sentences | alter.Texts,
        run: RunContext,
    ) -> Iterator[dict[str, Any]]:
        """Alter each example; a copy that came out unaltered would only repeat it."""
        for copy in range(self.copies):
            for number, row in enumerate(train):
                changed = alterations(row, f"{run.recipe.training.seed}-{copy}-{number}")
                if any(changed[column] != row[column] for column in changed):
                    yield {**row, **changed, "document": None, "where": f"{row['where']} altered"}

    def misfits(self, recipe: TransferRecipe) -> Iterator[str]:
        """Refuse shares of the other task."""
        task: str = recipe.task.name
        for other, names in _DEFAULTS.items():
            for name in names:
                if other != task and getattr(self, name) is not None:
                    yield (
                        f"augmentation: {name} is for {other}, the task is {task} "
                        f"({', '.join(['typos', *_DEFAULTS[task]])})"
                    )

    def _shares(self, task: str) -> dict[str, float]:
        """Fill in the task's defaults."""
        given = {name: getattr(self, name) for name in _DEFAULTS[task]}
        return {
            name: _DEFAULTS[task][name] if share is None else share for name, share in given.items()
        }
