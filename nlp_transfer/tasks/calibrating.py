"""Predictions as a model makes them in; with scores that come true, and sure enough, out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nlp_transfer.records import Prediction
from nlp_transfer.tasks.optional import Calibration


@dataclass(frozen=True)
class AnswerBounds:
    """How sure calibrated answers have to be."""

    least_score: float | None = None
    """The score that one needs; None: any."""
    set_bound: float | None = None
    """How unlikely a label of a set may be, -log probability; None: there is no set."""


def calibrated(
    predictions: Iterable[Prediction],
    calibration: Calibration | None,
    bounds: AnswerBounds | None = None,
) -> Iterator[Prediction]:
    """Correct the scores of predictions, as far as it is known how, as they come.

    bounds: None, or where there is no calibration: all answers stay, without sets
    """
    if calibration is None:
        return iter(predictions)
    known: Iterator[Prediction] = map(calibration.calibrated, predictions)
    if bounds is not None and (bound := bounds.set_bound) is not None:
        known = (calibration.with_set(one, bound) for one in known)
    if bounds is not None and (least := bounds.least_score) is not None:
        known = (calibration.above(one, least) for one in known)
    return known
