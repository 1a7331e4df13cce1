"""Labelled texts, gold and predicted, in; the figures of classification out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from nlp_transfer.metrics.figures import (
    COLUMNS,
    Headline,
    LabelFigures,
    Score,
    best_and_worst,
    percent,
)
from nlp_transfer.metrics.unknown import UnknownFigures
from nlp_transfer.records import Prediction
from nlp_transfer.shown import Table
from nlp_transfer.tasks.classification.decoding import Classification
from nlp_transfer.tasks.faces import only_answer

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class ClassificationFigures:
    """Scores of the classes."""

    classes: LabelFigures
    unknown: UnknownFigures | None = None
    """Of a model that gives some texts none of its classes."""

    @property
    def headline(self) -> Headline:
        """The mean F1 of the classes."""
        return ClassificationScores.read_headline(self.classes.macro.as_dict())

    @property
    def per_label(self) -> Mapping[str, Score]:
        """Texts, class by class."""
        return self.classes.per_label

    def tables(self) -> Sequence[Table]:
        """Show every class, and what sums them up."""
        note = "macro is the mean over the classes; weighted counts each class by its support."
        classes = Table("Classes", ("label", *COLUMNS), tuple(self.classes.cells()), note)
        if self.unknown is None:
            return (classes,)
        note = "A known text that gets no class counts as wrong above."
        cells = tuple(self.unknown.cells())
        return classes, Table("Texts of none of the classes", ("", "share"), cells, note)

    def in_words(self) -> str:
        """Say how many texts are right."""
        right = f"{percent(self.classes.accuracy)} of the texts are labelled exactly right."
        return f"{right} {best_and_worst(self.classes.per_label)}".strip()

    def compared(self) -> Sequence[tuple[str, str, float]]:
        """Choose accuracy and macro F1."""
        macro = self.classes.macro.f1
        return ("accuracy", "accuracy", self.classes.accuracy), ("f1", "macro F1", macro)

    def as_dict(self) -> dict[str, Any]:
        unknown = {} if self.unknown is None else {"unknown": self.unknown.as_dict()}
        return {"class": self.classes.as_dict(), **unknown}


@dataclass(frozen=True)
class ClassificationScores:
    """The table of the classes, and what sums it up."""

    multi_label: bool

    headline: ClassVar[str] = "macro F1"

    def headline_figure(self, rows: Dataset, predictions: Sequence[Prediction]) -> float:
        from nlp_transfer.metrics.labels import macro_f1

        gold, predicted, names, _ = _compared(rows, predictions)
        return macro_f1(gold, predicted, names)

    def figures(
        self, rows: Dataset, predictions: Sequence[Prediction], *, samples: int
    ) -> ClassificationFigures:
        import numpy as np

        from nlp_transfer.metrics.labels import class_figures

        gold, predicted, names, scores = _compared(rows, predictions)
        matrix = np.array([[row.get(name, 0.0) for name in names] for row in scores])
        # Of none of the classes may be a text, or none of them its answer.
        one_each = not self.multi_label and all(len(one) == 1 for one in (*gold, *predicted))
        figures = class_figures(gold, predicted, matrix, names, one_each=one_each, samples=samples)
        return ClassificationFigures(figures, _unknown(gold, predictions))

    def read(self, figures: Mapping[str, Any]) -> ClassificationFigures:
        unknown = figures.get("unknown")
        return ClassificationFigures(
            LabelFigures.read(figures["class"]), UnknownFigures.read(unknown) if unknown else None
        )

    @staticmethod
    def read_headline(line: Mapping[str, Any]) -> Headline:
        return Headline.read(ClassificationScores.headline, "f1", line)

    def constant_answer(self, rows: Dataset, predictions: Sequence[Prediction]) -> str | None:
        """Name the class that every text has, or say that none has any."""
        gold, predicted, _, _ = _compared(rows, predictions)
        answer = only_answer(map(_joined, gold), map(_joined, predicted))
        return answer and f"{answer} for every text"


def _compared(
    rows: Dataset, predictions: Sequence[Prediction]
) -> tuple[list[list[str]], list[tuple[str, ...]], list[str], list[dict[str, float]]]:
    """Return gold labels, predicted labels, every label of either side, and the scores."""
    known = [prediction for prediction in predictions if isinstance(prediction, Classification)]
    gold = [list(names) for names in rows["labels"]]
    names = list(known[0].scores) if known else []
    extra = sorted({name for labels in gold for name in labels} - set(names))
    return gold, [p.labels for p in known], [*names, *extra], [dict(p.scores) for p in known]


def _unknown(
    gold: Sequence[Sequence[str]], predictions: Sequence[Prediction]
) -> UnknownFigures | None:
    """Say how well texts of none of the classes are told; None: the model does not."""
    import numpy as np

    told = [p.strangeness for p in predictions if isinstance(p, Classification)]
    strangeness = [value for value in told if value is not None]
    if not strangeness or len(strangeness) < len(gold):
        return None
    rejected = [not p.labels for p in predictions if isinstance(p, Classification)]
    none = [not labels for labels in gold]
    return UnknownFigures.of(np.array(strangeness), np.array(rejected), np.array(none))


def _joined(labels: Sequence[str]) -> str:
    return " and ".join(map(repr, sorted(labels))) or "no label"
