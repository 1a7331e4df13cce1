"""Self-training: a teacher labels texts, and what it is sure of is learned (Yarowsky 1995)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from nlp_transfer.data.added import with_added
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import Checkpoint, File
from nlp_transfer.records import Splits
from nlp_transfer.strategies.base import Stage, Strategy
from nlp_transfer.strategies.context import RunContext, TransferRecipe
from nlp_transfer.strategies.parts.texts import (
    additions_of,
    no_texts,
    not_in,
    texts_of,
    unlabelled_rows,
)
from nlp_transfer.strategies.plan import Plan
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.optional import Additions

log = logging.getLogger(__name__)

_KEY = "strategies pseudo_labels"
_SURE = 0.9

Labelled = tuple[dict[str, Any], float]
"""A row with the teacher's labels, and how sure the teacher is of them, 0 to 1."""


class PseudoLabels(Strategy):
    """Add unlabelled texts with the labels that a teacher is sure of."""

    stage: ClassVar[Stage] = Stage.ROWS
    # The teacher labels what no dictionary has.
    order: ClassVar[int] = 30

    name: Literal["pseudo_labels"] = "pseudo_labels"
    teacher: Checkpoint | None = Field(
        None,
        description="run folder, model folder or Hub id; null: this run without added texts comes "
        "first, and its model teaches",
        examples=["runs/teacher"],
    )
    texts: File | None = Field(
        None,
        description="file of unlabelled texts, as `nlpt predict` reads; null: data.unlabelled",
        examples=["texts.txt"],
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        examples=[0.95],
        description=f"least confidence; {_SURE} where there is no top_share",
    )
    top_share: float | None = Field(
        None,
        gt=0,
        le=1,
        examples=[0.5],
        description="instead: the share of the texts with the most confidence",
    )
    most_per_class: int | None = Field(
        None,
        ge=1,
        le=10**9,
        examples=[100],
        description="of each class (NER: entity type) so many, the surest; null: all",
    )
    rounds: int = Field(
        1,
        ge=0,
        le=100,
        description="in each further round the model of the last is the teacher; 0: nothing is "
        "added, as in the round of a teacher of its own",
    )

    @model_validator(mode="after")
    def _one_measure(self) -> PseudoLabels:
        if self.threshold is not None and self.top_share is not None:
            raise ValueError("threshold and top_share both decide what is taken; keep one")
        if self.teacher is not None and not self.rounds:
            raise ValueError("rounds: 0 leaves a teacher nothing to do; leave one of them out")
        return self

    @property
    def in_words(self) -> str:
        return "sure labels of unlabelled texts"

    @property
    def reads_unlabelled(self) -> bool:
        return self.texts is None

    @staticmethod
    def needs(task: Task) -> Additions | None:
        """Learn from texts with predicted labels."""
        return task.additions

    def misfits(self, recipe: TransferRecipe) -> Iterator[str]:
        """Refuse texts with any number of labels, and no texts."""
        additions = recipe.task.additions
        if additions is not None and not additions.has_confidence:
            yield (
                "pseudo_labels: texts with any number of labels have no one confidence. Leave the "
                "strategy out, or label the texts with `nlpt predict` and choose among them"
            )
        if self.texts is None and recipe.data.unlabelled is None:
            yield no_texts("pseudo_labels: texts")

    def plan(self, plan: Plan) -> Plan:
        """Put the run before whose model is the teacher of this one."""
        if not self._is_taught_by_round:
            return plan
        earlier = self.model_copy(update={"rounds": self.rounds - 1})
        strategies = [earlier if one is self else one for one in plan.recipe.strategies]
        return replace(plan, earlier=plan.recipe.model_copy(update={"strategies": strategies}))

    def reads(self) -> Mapping[str, str]:
        named = {"teacher": self.teacher, "texts": self.texts}
        return {key: name for key, name in named.items() if name is not None}

    def check(self, splits: Splits, run: RunContext) -> None:
        """Refuse a teacher of another task; before a round teaches, texts of no use."""
        name = self._teacher_name(run)
        if name is None:
            self._new_texts(splits, run)
            return
        task, teacher = run.recipe.task, run.models.open(name, f"{_KEY}: teacher")
        if teacher.task.name != task.name:
            raise UserError(
                f"{_KEY}: the teacher {name} is a model for {teacher.task.name}, the "
                f"recipe is for {task.name}."
            )

    def add_rows(self, splits: Splits, run: RunContext) -> Splits:
        """Add what the teacher is sure of to the training split."""
        name = self._teacher_name(run)
        if name is None:
            return splits
        additions = additions_of(run)
        teacher = run.models.open(name, f"{_KEY}: teacher")
        new, read = self._new_texts(splits, run)
        labelled = [
            (additions.labelled(row, prediction), additions.confidence(prediction))
            for row, prediction in zip(new, teacher.predict(new), strict=True)
        ]
        run.models.close(name)
        known = {*splits.labels, None}
        named = [item for item in labelled if additions.classes(item[0]) <= known]
        taken = self._taken(named, additions)
        log.info(
            "pseudo_labels: %d of %d texts taken (%d are in a split already, %d have a label that "
            "the data has not)",
            len(taken),
            read,
            read - len(new),
            len(labelled) - len(named),
        )
        if not taken:
            self._tell_that_none_is_sure(named)
            return splits
        return with_added(splits, taken)

    @property
    def _is_taught_by_round(self) -> bool:
        """Whether the model of an earlier round is the teacher."""
        return self.rounds > (0 if self.teacher is None else 1)

    def _new_texts(self, splits: Splits, run: RunContext) -> tuple[list[dict[str, Any]], int]:
        """Read the texts that are in no split; with them, count all."""
        texts, key = texts_of(self.texts, run.recipe, setting=f"{_KEY}: texts")
        rows = unlabelled_rows(texts, run, setting=key)
        new = not_in(splits, rows, additions_of(run))
        if not new:
            raise UserError(
                f"{key}: {texts} has no text that is not in a split already "
                f"({len(rows)} read). Name a file of other texts."
            )
        return new, len(rows)

    def _teacher_name(self, run: RunContext) -> str | None:
        """Name the teacher; None before there is one: in its own round, and in a dry run."""
        return (run.earlier_round if self._is_taught_by_round else None) or self.teacher

    def _tell_that_none_is_sure(self, labelled: Sequence[Labelled]) -> None:
        """Refuse a teacher that is sure of nothing, before any training.

        One that this run has trained costs the run nothing more: it goes on without the texts.
        """
        best = max((confidence for _, confidence in labelled), default=0.0)
        said = (
            f"{_KEY}: the teacher is sure enough of no text (at most {best:.3f}). Lower threshold, "
            "or set top_share instead."
        )
        if self.teacher is not None and not self._is_taught_by_round:
            raise UserError(said)
        log.warning("%s Nothing is added", said)

    def _taken(self, labelled: Sequence[Labelled], additions: Additions) -> list[dict[str, Any]]:
        """Choose the rows to learn from, the surest first."""
        ranked = sorted(labelled, key=lambda item: -item[1])
        if self.top_share is not None:
            sure = ranked[: max(1, round(self.top_share * len(ranked)))]
        else:
            least = _SURE if self.threshold is None else self.threshold
            sure = [item for item in ranked if item[1] >= least]
        rows = (row for row, _ in sure)
        most = self.most_per_class
        return list(rows if most is None else _balanced(rows, most, additions))


def _balanced(
    rows: Iterable[dict[str, Any]], most: int, additions: Additions
) -> Iterator[dict[str, Any]]:
    """Take a row while one of its classes has not its number yet."""
    taken: Counter[str | None] = Counter()
    for row in rows:
        classes = additions.classes(row)
        if any(taken[name] < most for name in classes):
            taken.update(classes)
            yield row
