"""Distillation: a student learns what a teacher makes of each word or text (Hinton et al. 2015)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from nlp_transfer.data.added import altered_copies, with_added
from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.errors import UserError, shortened
from nlp_transfer.recipe import Checkpoint
from nlp_transfer.records import Row, Splits
from nlp_transfer.strategies.base import Stage, Strategy
from nlp_transfer.strategies.context import (
    Batch,
    FineTuned,
    Forward,
    LossFunction,
    RunContext,
    TrainingData,
    TransferRecipe,
)
from nlp_transfer.strategies.parts.teaching import SoftTargets, hidden_distance, layer_pairs
from nlp_transfer.strategies.parts.texts import additions_of
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.optional import Additions, SoftLoss

if TYPE_CHECKING:
    import torch
    from transformers.utils import ModelOutput

_KEY = "strategies distillation: teacher"


_Layer = Annotated[int, Field(ge=0, le=1000)]


class Distillation(Strategy):
    """Learn from a fine-tuned teacher beside the labels; its predictions are computed once."""

    stage: ClassVar[Stage] = Stage.ROWS
    # Rewords all that was written by people, before errors are put into it. Its loss is the first:
    # `weight` shares between labels and teacher alone, not between them and what others add.
    order: ClassVar[int] = 40

    name: Literal["distillation"] = "distillation"
    teacher: Checkpoint = Field(
        description="run folder, model folder or Hub id", examples=["runs/teacher"]
    )
    temperature: float = Field(
        2.0, gt=0, le=1000, description="above 1, unlikely labels teach more"
    )
    weight: float = Field(
        0.5, ge=0, le=1, description="of the teacher's predictions; the labels get the rest"
    )
    hidden: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="weight of the distance between hidden states; 0: not compared",
    )
    layers: dict[_Layer, _Layer] | None = Field(
        None,
        examples=[{0: 1, 2: 5}],
        description="layers compared, {student: teacher} from 0; null: spread evenly, last to last",
    )
    copies: int = Field(
        0,
        ge=0,
        le=1000,
        description="altered copies of each training example, labelled by the teacher",
    )
    replace_words: float = Field(
        0.4, gt=0, le=1, description="share, at most, of a copy's words that give way to others"
    )

    def reads(self) -> Mapping[str, str]:
        return {"teacher": self.teacher}

    @staticmethod
    def needs(task: Task) -> SoftLoss | None:
        """Learn from a teacher's probabilities."""
        return task.soft_loss

    def misfits(self, recipe: TransferRecipe) -> Iterator[str]:
        """Refuse copies where no row is made of others, states of pieces that are in one row."""
        if self.hidden and not recipe.training.padding:
            yield (
                "distillation: hidden compares the states of each layer window by window, and "
                "training.padding is false: leave one of them out"
            )
        if self.copies and recipe.task.additions is None:
            yield f"distillation: copies cannot be made of the texts of {recipe.task.name}"

    def check(self, splits: Splits, run: RunContext) -> None:
        """Refuse a teacher that cannot teach this task."""
        task = run.recipe.task
        labels = task.head.new(splits.labels).labels
        _check_fits(run.models.open(self.teacher, _KEY), task, labels)

    def add_rows(self, splits: Splits, run: RunContext) -> Splits:
        """Add altered copies of the training examples, as the teacher labels them."""
        if not self.copies:
            return splits
        teacher = run.models.open(self.teacher, _KEY)
        train, seed = list(iterate(splits["train"])), run.recipe.training.seed
        reworded = Reworded(train, additions_of(run), share=self.replace_words)
        copies = list(
            altered_copies(train, reworded, copies=self.copies, seed=seed, how="reworded")
        )
        labelled = map(additions_of(run).labelled, copies, teacher.predict(copies))
        return with_added(splits, list(labelled))

    def wrap_loss(self, loss: LossFunction, data: TrainingData) -> LossFunction:
        """Return (1 - weight) * loss + weight * soft loss + hidden * distance of hidden states."""

        teacher = data.run.models.open(self.teacher, _KEY)
        soft_loss = self.needs(data.run.recipe.task)
        assert soft_loss is not None
        targets = SoftTargets(teacher, data)
        pairs = layer_pairs(teacher, data, self.layers) if self.hidden else []

        def distilled(forward: Forward, batch: Batch, items: torch.Tensor) -> torch.Tensor:
            seen: list[ModelOutput] = []

            def remembered(inputs: Batch) -> ModelOutput:
                wanted: dict[str, Any] = {"output_hidden_states": True} if pairs else {}
                seen.append(forward({**inputs, **wanted}))
                return seen[-1]

            hard = loss(remembered, batch, items)
            student, taught = targets.compared(seen[0]["logits"], batch)
            soft = soft_loss(student, taught, self.temperature)
            total = (1 - self.weight) * hard + self.weight * soft / items
            if pairs:
                distance = hidden_distance(seen[0]["hidden_states"], teacher, batch, pairs)
                total = total + self.hidden * distance / items
            return total

        return distilled


def _check_fits(teacher: FineTuned, task: Task, labels: Sequence[str]) -> None:
    """Refuse a teacher of another task or of other labels."""
    if teacher.task.kind != task.kind:
        raise UserError(
            f"{_KEY} is a model for {teacher.task.kind}, the recipe is for {task.kind}."
        )
    if set(teacher.labels) != set(labels):
        raise UserError(
            f"{_KEY} has other labels than the data. Teacher: {shortened(teacher.labels)}. "
            f"Data: {shortened(labels)}. Train a teacher on labels of these names."
        )


class Reworded:
    """Puts words of other examples in the places of some; the labels no longer hold.

    source: Jiao et al. 2020 (TinyBERT), section 3.2, with words drawn at random
    """

    def __init__(self, rows: Sequence[Row], additions: Additions, *, share: float) -> None:
        """share: of the words at most, 0 to 1; each example draws its own."""
        self._additions = additions
        words = (word for row in rows for of in additions.words(row).values() for word in of)
        self._words = [word for word in dict.fromkeys(words) if _has_letters(word)]
        self._share = share

    def __call__(self, row: Row, seed: str) -> dict[str, Any]:
        """Return the columns of words altered; the same seed gives the same."""
        rng = Random(seed)
        share = rng.uniform(0, self._share)
        altered = {
            column: [
                rng.choice(self._words) if _has_letters(word) and rng.random() < share else word
                for word in words
            ]
            for column, words in self._additions.words(row).items()
        }
        return self._additions.joined(altered)


def _has_letters(word: str) -> bool:
    return any(map(str.isalpha, word))
