"""A recipe or a file of texts in, the examples that engines are measured on out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.data.inputs import check_inputs, read_items
from nlp_transfer.errors import UserError
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import Prediction, Row
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.tasks.splits import load_splits

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Examples:
    """Rows that a model predicts, with their labels where these are known."""

    name: str
    """Of the split, or of the file."""
    rows: Sequence[Row]
    of: int
    """How many there were to choose from."""
    gold: Dataset | None

    def figure(self, model: Predictor, predictions: Sequence[Prediction]) -> float | None:
        """Score predictions by the task's headline figure, a fraction; None: without labels."""
        if self.gold is None:
            return None
        return model.task.scores.headline_figure(self.gold, predictions)


def examples_of(source: AnyRecipe | Path | None, model: Predictor, most: int) -> Examples:
    """Take examples of a recipe's last scored split, or the texts of a file.

    most:   how many are taken at most, evenly spread
    raises: UserError when the model is of another task, or there is no text
    """
    if isinstance(source, Path):
        return _of_file(source, model, most)
    assert source is not None
    return _of_split(source, model, most)


def _of_split(recipe: AnyRecipe, model: Predictor, most: int) -> Examples:
    split = recipe.evaluation.splits[-1]
    splits = load_splits(recipe, (split,))
    model.check_fits(recipe.task, splits.labels)
    every = splits[split]
    gold = every.select(spread(len(every), most))
    return Examples(f"{split} split", list(iterate(gold)), len(every), gold)


def _of_file(texts: Path, model: Predictor, most: int) -> Examples:
    if not texts.is_file():
        raise UserError(f"--texts: there is no file {str(texts)!r}. Name one with a text a line.")
    data = DataSection(source=str(texts))
    check_inputs(data)
    items = [one for one in read_items(data, model.columns) if one.tokens or one.as_text().strip()]
    if not items:
        raise UserError(f"--texts: {texts} holds no text. Name a file with a text a line.")
    results, split = model.task.results, model.words.splitter()
    chosen = (items[number] for number in spread(len(items), most))
    return Examples(texts.name, [results.row(item, split) for item in chosen], len(items), None)


def spread(count: int, most: int) -> list[int]:
    """Choose numbers below a count, evenly spread."""
    taken = min(count, most)
    return [number * count // taken for number in range(taken)]
