"""The name of a class is a text of it: names become training examples (SetFit's templates)."""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from nlp_transfer.data.added import with_added
from nlp_transfer.records import Splits
from nlp_transfer.strategies.base import Stage, Strategy
from nlp_transfer.strategies.context import RunContext
from nlp_transfer.strategies.parts.label_words import in_words
from nlp_transfer.strategies.parts.texts import additions_of, not_in
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.optional import TextLabels

log = logging.getLogger(__name__)

_NAME = "{}"


class LabelExamples(Strategy):
    """Add the name of each class to the training split, as a text of that class.

    source: Tunstall et al. 2022 (SetFit), whose templated examples are these
    """

    stage: ClassVar[Stage] = Stage.ROWS
    # Before a teacher labels texts: what it was trained on is what its pupils are.
    order: ClassVar[int] = 15

    name: Literal["label_examples"] = "label_examples"
    template: str = Field(
        _NAME,
        max_length=1000,
        description="text around the name, which stands in the place of {}",
        examples=["I want to talk about {}."],
    )

    @field_validator("template")
    @classmethod
    def _has_a_place(cls, template: str) -> str:
        if template.count(_NAME) != 1:
            raise ValueError("must hold {} once, in whose place the name stands")
        return template

    @staticmethod
    def needs(task: Task) -> TextLabels | None:
        """Label whole texts."""
        return task.text_labels

    def add_rows(self, splits: Splits, run: RunContext) -> Splits:
        """Add a text for every class whose name says something."""
        labels = self.needs(run.recipe.task)
        assert labels is not None
        if not labels.are_single(splits["train"]):
            log.warning("label_examples: nothing is added: texts are pairs, and a name is none")
            return splits
        names = telling(splits.labels)
        rows = [
            labels.row(self.template.replace(_NAME, words), label) for label, words in names.items()
        ]
        added = not_in(splits, rows, additions_of(run))
        if not added:
            log.warning(
                "label_examples: nothing is added: no name of a class says what it is, or all "
                "are texts of the data already"
            )
            return splits
        log.info(
            "label_examples: the names of %d of %d classes are training texts",
            len(added),
            len(splits.labels),
        )
        return with_added(splits, added)


def telling(labels: Sequence[str]) -> Mapping[str, str]:
    """Write names as words, where they differ from all others by more than digits.

    A single letter says something where it is a word, as in Chinese and Japanese.

    >>> telling(["card_arrival", "LABEL_1", "LABEL_2", "a", "家"])
    {'card_arrival': 'card arrival', '家': '家'}
    """
    letters = {label: "".join(filter(str.isalpha, label)).casefold() for label in labels}
    often = Counter(letters.values())
    return {
        label: in_words(label)
        for label, said in letters.items()
        if often[said] == 1 and (len(said) > 1 or "W" in map(unicodedata.east_asian_width, said))
    }
