"""Labelled texts with the model's scores in; scores that come true out."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from nlp_transfer.metrics.conformal import LabelSets
from nlp_transfer.metrics.precision import PrecisionCurve
from nlp_transfer.recipe.base import Section
from nlp_transfer.records import Prediction
from nlp_transfer.tasks.classification.decoding import Classification

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from numpy.typing import NDArray

    from nlp_transfer.metrics.reliability import ConfidenceFigures

LEAST = 10
"""Texts of a validation split that calibrating takes."""


class ClassificationCalibration(Section):
    """What the logits of a classifier are divided by, before they become probabilities."""

    temperature: float = Field(gt=0, le=100)
    several: bool
    """Whether each label has a probability of its own."""
    curve: PrecisionCurve
    sets: LabelSets | None = None
    """Which labels belong into a set that is to hold the right one; None: there are no sets."""

    def calibrated(self, prediction: Prediction) -> Classification:
        """Correct the scores of all labels; which are chosen, and the order of all, stays."""
        assert isinstance(prediction, Classification)
        import numpy as np

        model = np.fromiter(prediction.scores.values(), np.float64)
        scores = dict(zip(prediction.scores, self.scores(model[None])[0].tolist(), strict=True))
        return replace(prediction, scores=scores, model_scores=array("d", model))

    def scores(self, model: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn the model's probabilities, (texts, labels), into those of being right."""
        import numpy as np

        from nlp_transfer.metrics.calibration import chance, log_odds, tempered

        if self.several:
            return chance(log_odds(model) / self.temperature)
        scores: NDArray[np.float64] = np.exp(tempered(logarithm(model), self.temperature))
        return scores

    def above(self, prediction: Prediction, least: float) -> Classification:
        """Take back the labels whose score is below the least."""
        assert isinstance(prediction, Classification)
        kept = tuple(name for name in prediction.labels if prediction.scores[name] >= least)
        return replace(prediction, labels=kept)

    def with_set(self, prediction: Prediction, bound: float) -> Classification:
        """Give a text the set of labels that are no less likely than the bound, by `sets`."""
        assert isinstance(prediction, Classification)
        scores = prediction.scores
        likely = [name for name in scores if -math.log(max(scores[name], 1e-300)) <= bound]
        ordered = sorted(likely, key=lambda name: -scores[name])
        return replace(prediction, possible=tuple(ordered))


@dataclass(frozen=True)
class ClassificationConfidence:
    """How sure a label is, and how sure it should be."""

    multi_label: bool

    def fit(
        self, rows: Dataset, predictions: Sequence[Prediction]
    ) -> ClassificationCalibration | None:
        """Learn from texts that the model has not learned from; None: too few."""
        import numpy as np

        answers = Answers.of(rows, predictions)
        if len(rows) < LEAST or not len(answers.right):
            return None
        temperature = round(self._temperature(rows, answers), 6)
        nothing = PrecisionCurve.of(answers.model_scores, answers.right)
        fitted = ClassificationCalibration(
            temperature=temperature, several=self.multi_label, curve=nothing
        )
        scores = fitted.scores(answers.model)[answers.texts, answers.labels]
        curve = PrecisionCurve.of(np.asarray(scores), answers.right)
        sets = None
        if not self.multi_label:
            texts, labels = _right_labels(rows, answers)
            probabilities = fitted.scores(answers.model[texts])
            sets = LabelSets.of(logarithm(probabilities), labels) if len(texts) else None
        return fitted.model_copy(update={"curve": curve, "sets": sets})

    def _temperature(self, rows: Dataset, answers: Answers) -> float:
        import numpy as np

        from nlp_transfer.metrics.calibration import Priors, fit_curve, fit_temperature, log_odds

        if self.multi_label:
            gold = [{*labels} for labels in rows["labels"]]
            truth = np.array([[name in labels for name in answers.names] for labels in gold])
            odds = log_odds(answers.model).ravel()
            # Without a shift even odds stay even: at a threshold of 0.5 the same labels are chosen.
            unmoved = Priors(shift=1e9)
            none = np.zeros(len(odds), np.int64)
            return 1 / fit_curve(odds, truth.ravel(), none, 0, unmoved).slope
        texts, labels = _right_labels(rows, answers)
        return fit_temperature(logarithm(answers.model[texts]), labels)

    def figures(self, rows: Dataset, predictions: Sequence[Prediction]) -> ConfidenceFigures | None:
        """Measure the scores of the labels that texts were given."""
        from nlp_transfer.metrics.reliability import ConfidenceFigures

        answers = Answers.of(rows, predictions)
        return ConfidenceFigures.of(answers.model_scores, answers.scores, answers.right)

    def read(self, said: Mapping[str, Any]) -> ClassificationCalibration:
        """Read what a model keeps; pydantic's error where it is nothing that `fit` makes."""
        return ClassificationCalibration.model_validate(said)


@dataclass(frozen=True)
class Answers:
    """The labels that some texts were given, and whether each was right."""

    names: list[str]
    """All labels of the model."""
    model: NDArray[np.float64]
    """(texts, labels) probabilities as the model computes them."""
    texts: NDArray[np.int64]
    """Number of the text of each answer."""
    labels: NDArray[np.int64]
    """Number of the label of each answer."""
    scores: NDArray[np.float64]
    """Of each answer."""
    right: NDArray[np.bool_]
    """Of each answer."""

    @property
    def model_scores(self) -> NDArray[np.float64]:
        """Of each answer, as the model computes them."""
        return self.model[self.texts, self.labels]

    @classmethod
    def of(cls, rows: Dataset, predictions: Sequence[Prediction]) -> Answers:
        import numpy as np

        known = [one for one in predictions if isinstance(one, Classification)]
        names = list(known[0].scores) if known else []
        numbers = {name: number for number, name in enumerate(names)}
        model = [one.model_scores or [*one.scores.values()] for one in known]
        answers = [
            (text, numbers[name], one.scores[name], name in gold)
            for text, (gold, one) in enumerate(zip(rows["labels"], known, strict=True))
            for name in one.labels
        ]
        texts, labels, scores, right = zip(*answers, strict=True) if answers else ((),) * 4
        return cls(
            names,
            np.array(model, np.float64).reshape(len(known), len(names)),
            np.array(texts, np.int64),
            np.array(labels, np.int64),
            np.array(scores, np.float64),
            np.array(right, np.bool_),
        )


def _right_labels(rows: Dataset, answers: Answers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the texts whose label the model has, and the label of each."""
    import numpy as np

    numbers = {name: number for number, name in enumerate(answers.names)}
    found = [
        (text, numbers[name])
        for text, names in enumerate(rows["labels"])
        for name in names
        if name in numbers  # others are wrong whatever the scores
    ]
    texts, labels = np.array(found, np.int64).reshape(-1, 2).T
    return texts, labels


def logarithm(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log-probabilities; what has underflowed is taken for 1e-30."""
    import numpy as np

    logarithms: NDArray[np.float64] = np.log(probabilities.clip(1e-30))
    return logarithms
