"""Tagged sentences with the model's scores in; scores that come true out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from nlp_transfer.data.tags import spans, tags_over
from nlp_transfer.metrics.precision import PrecisionCurve
from nlp_transfer.recipe.base import Section
from nlp_transfer.records import Prediction
from nlp_transfer.tasks.ner.decoding import Tagging

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from numpy.typing import NDArray

    from nlp_transfer.metrics.reliability import ConfidenceFigures

LEAST = 10
"""Entities of a validation split from which calibrated scores were the better ones: see
docs/confidence.md."""

_Shift = Annotated[float, Field(ge=-100, le=100)]


class NerCalibration(Section):
    """Log odds of an entity being right: slope * the model's log odds + shift + its type's."""

    slope: float = Field(gt=0, le=100)
    """1 / temperature."""
    shift: _Shift
    types: dict[str, _Shift]
    """Shifts of the single types, drawn to 0 where few entities are; 0 for one not named here."""
    curve: PrecisionCurve

    @property
    def sets(self) -> None:
        """Entities have none: what else a span could be is no list of labels."""

    def with_set(self, prediction: Prediction, bound: float) -> Tagging:
        """Leave a prediction as it is."""
        assert isinstance(prediction, Tagging)
        return prediction

    def calibrated(self, prediction: Prediction) -> Tagging:
        """Correct the scores of entities; which there are stays."""
        assert isinstance(prediction, Tagging)
        types = [span.type for span in spans(prediction.tags)]
        scores = self.scores(types, prediction.model_scores)
        return replace(prediction, entity_scores=scores)

    def scores(self, types: Sequence[str], model_scores: Sequence[float]) -> tuple[float, ...]:
        """Turn the model's probabilities of entities into those of being right."""
        if not types:
            return ()
        import numpy as np

        from nlp_transfer.metrics.calibration import chance, log_odds

        odds = log_odds(np.asarray(model_scores, np.float64))
        shifts = np.array([self.types.get(name, 0.0) for name in types])
        return tuple(chance(self.slope * odds + self.shift + shifts).tolist())

    def above(self, prediction: Prediction, least: float) -> Tagging:
        """Leave out the entities whose score is below the least."""
        assert isinstance(prediction, Tagging)
        scores = prediction.entity_scores
        if not scores or min(scores) >= least:
            return prediction
        kept = [number for number, score in enumerate(scores) if score >= least]
        found = spans(prediction.tags)
        return replace(
            prediction,
            tags=tuple(tags_over(len(prediction.tags), [found[number] for number in kept])),
            entity_scores=tuple(scores[number] for number in kept),
            model_scores=tuple(prediction.model_scores[number] for number in kept),
        )


@dataclass(frozen=True)
class FoundEntities:
    """The entities that were found in some sentences, and whether each was right."""

    types: list[str]
    scores: NDArray[np.float64]
    model_scores: NDArray[np.float64]
    right: NDArray[np.bool_]

    @classmethod
    def of(cls, rows: Dataset, predictions: Sequence[Prediction]) -> FoundEntities:
        import numpy as np

        taggings = [one for one in predictions if isinstance(one, Tagging)]
        types, right = [], []
        for gold, tagging in zip(rows["tags"], taggings, strict=True):
            known = {*spans(gold)}
            for span in spans(tagging.tags):
                types.append(span.type)
                right.append(span in known)
        return cls(
            types,
            np.array([score for one in taggings for score in one.entity_scores], np.float64),
            np.array([score for one in taggings for score in one.model_scores], np.float64),
            np.array(right, np.bool_),
        )


@dataclass(frozen=True)
class NerConfidence:
    """How sure an entity is, and how sure it should be."""

    def fit(self, rows: Dataset, predictions: Sequence[Prediction]) -> NerCalibration | None:
        """Learn from sentences that the model has not learned from; None: too few entities."""
        import numpy as np

        from nlp_transfer.metrics.calibration import fit_curve, log_odds

        found = FoundEntities.of(rows, predictions)
        if len(found.types) < LEAST:
            return None
        names = sorted(set(found.types))
        groups = np.array([names.index(name) for name in found.types])
        curve = fit_curve(log_odds(found.model_scores), found.right, groups, len(names))
        shifts = dict(zip(names, curve.groups.round(6).tolist(), strict=True))
        nothing = PrecisionCurve.of(found.model_scores, found.right)
        fitted = NerCalibration(
            slope=round(curve.slope, 6), shift=round(curve.shift, 6), types=shifts, curve=nothing
        )
        scores = np.array(fitted.scores(found.types, found.model_scores.tolist()))
        return fitted.model_copy(update={"curve": PrecisionCurve.of(scores, found.right)})

    def figures(self, rows: Dataset, predictions: Sequence[Prediction]) -> ConfidenceFigures | None:
        """Measure the scores of entities."""
        from nlp_transfer.metrics.reliability import ConfidenceFigures

        found = FoundEntities.of(rows, predictions)
        return ConfidenceFigures.of(found.model_scores, found.scores, found.right)

    def read(self, said: Mapping[str, Any]) -> NerCalibration:
        """Read what a model keeps; pydantic's error where it is nothing that `fit` makes."""
        return NerCalibration.model_validate(said)
