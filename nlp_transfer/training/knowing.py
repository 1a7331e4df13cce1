"""A model that has learned classes in; where the texts that it knows lie out."""

from __future__ import annotations

import logging
import random
from collections import defaultdict
from collections.abc import Sequence

from nlp_transfer.models.build import LoadedModel
from nlp_transfer.models.known import MOST, Known
from nlp_transfer.training.computing import Computing
from nlp_transfer.training.examples import TaskWindows

log = logging.getLogger(__name__)

_OF_A_CLASS = 500
"""Training examples that tell well enough where a class lies."""
_FEWEST = 20
"""Validation examples below which a share of them says nothing."""


def known_texts(
    task: TaskWindows, computing: Computing, loaded: LoadedModel, validation: Sequence[int]
) -> Known | None:
    """Learn where examples of the classes lie; None: the recipe takes all for such.

    validation: numbers of the examples that the threshold is set by
    """
    keep = task.recipe.task.known_share
    if keep is None:
        return None
    train, model = task.data["train"], loaded.model
    answers = list(task.recipe.task.rows.answers(task.data["validation"].rows))
    measured = [number for number in validation if answers[number]]
    if len(measured) < _FEWEST:
        log.warning(
            "task.unknown: only %d validation texts of known classes are new to the model, from "
            "which no threshold can be told (%d are needed); it takes all texts for known",
            len(measured),
            _FEWEST,
        )
        return None
    examples, classes = _examples(list(task.recipe.task.rows.answers(train.rows)))
    found = [
        computing.features(split, model, task.recipe.task, numbers)
        for split, numbers in ((train, examples), (task.data["validation"], measured))
    ]
    return Known.fit(found[0], classes, found[1], keep=keep)


def _examples(answers: Sequence[Sequence[str] | None]) -> tuple[list[int], list[int]]:
    """Draw examples of every class: their numbers, and those of their classes."""
    by_class: dict[str, list[int]] = defaultdict(list)
    for number, labels in enumerate(answers):
        for name in labels or ():
            by_class[name].append(number)
    draw, most = random.Random(0), max(1, min(_OF_A_CLASS, MOST // max(1, len(by_class))))
    drawn = [
        (number, one)
        for one, name in enumerate(sorted(by_class))
        for number in draw.sample(by_class[name], min(most, len(by_class[name])))
    ]
    return [number for number, _ in drawn], [one for _, one in drawn]
