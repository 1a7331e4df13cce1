"""A wanted precision or coverage in, the scores that answers need for it out."""

from __future__ import annotations

import logging
import math

from nlp_transfer.errors import UserError
from nlp_transfer.metrics.bootstrap import FEW
from nlp_transfer.tasks.calibrating import AnswerBounds
from nlp_transfer.tasks.optional import Calibration

log = logging.getLogger(__name__)

_SURE = "--min-precision"
_SETS = "--coverage"
_AGAIN = (
    "it was trained elsewhere or by an earlier version, mixed of others, or on too little "
    "validation data. Fine-tune it again with nlpt finetune, or leave the option out."
)


def answer_bounds(
    calibration: Calibration | None,
    model: str,
    *,
    min_precision: float | None,
    coverage: float | None,
) -> AnswerBounds:
    """Find by the validation split what answers need.

    model: its name, for messages
    min_precision, coverage: fractions; None: not asked for
    raises: UserError where it cannot be had
    """
    least = None if min_precision is None else least_score(calibration, min_precision, model)
    bound = None if coverage is None else set_bound(calibration, coverage, model)
    return AnswerBounds(least, bound)


def set_bound(calibration: Calibration | None, coverage: float, model: str) -> float:
    """Find how unlikely labels may be in sets that hold the right one so often: -log probability.

    coverage: a fraction
    model:    its name, for messages
    raises:   UserError where there are no sets, or too few validation texts for this coverage
    """
    if not 0 < coverage < 1:
        raise UserError(f"{_SETS}: {coverage:g} is no share between 0 and 1, such as 0.9.")
    if calibration is None:
        raise UserError(f"{_SETS}: {model} does not say how sure its scores are: {_AGAIN}")
    sets = calibration.sets
    if sets is None:
        raise UserError(
            f"{_SETS}: {model} gives no text one label of several, or was trained by an earlier "
            f"version. Entities and any number of labels are chosen with {_SURE}; else fine-tune "
            "it again with nlpt finetune."
        )
    if not sets.allows(coverage):
        raise UserError(
            f"{_SETS} {coverage:g}: the {sets.texts:,} validation texts of {model} promise no more "
            f"than {math.floor(1000 * sets.texts / (sets.texts + 1)) / 1000:g}. Ask for less, or "
            "fine-tune with more validation data."
        )
    log.info("%s %g: %s", _SETS, coverage, sets.described(coverage))
    return sets.bound(coverage)


def least_score(calibration: Calibration | None, precision: float, model: str) -> float:
    """Find the score from which on answers had a precision on the validation split.

    precision: a fraction
    model:     its name, for messages
    raises:    UserError where no score has it, or nothing is known of scores
    """
    if not 0 < precision < 1:
        raise UserError(f"{_SURE}: {precision:g} is no share between 0 and 1, such as 0.95.")
    if calibration is None:
        raise UserError(f"{_SURE}: {model} does not say how sure its scores are: {_AGAIN}")
    curve = calibration.curve
    found = curve.threshold(precision)
    if found is None:
        raise UserError(f"{_SURE} {precision:g}: {_unreached(calibration, model)}")
    log.info("%s %g: %s keeps answers with %s", _SURE, precision, model, found)
    return found.score


def _unreached(calibration: Calibration, model: str) -> str:
    answers, best = calibration.curve.kept[-1], calibration.curve.best()
    if best is None:
        return (
            f"{model} gave only {answers:,} answers on its validation split, of which {FEW} or "
            "more would have to be kept. Fine-tune with more validation data."
        )
    share, threshold = best
    return (
        f"no score of {model} reaches it on the validation split with {FEW} answers or more. The "
        f"highest that can be had is {share:.3f}, by {threshold}. Ask for no more than "
        f"{int(share * 100) / 100:g}."
    )
