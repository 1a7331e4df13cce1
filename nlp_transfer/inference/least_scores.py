"""A wanted precision in, the least score that an answer needs for it out."""

from __future__ import annotations

import logging

from nlp_transfer.errors import UserError
from nlp_transfer.metrics.bootstrap import FEW
from nlp_transfer.tasks.optional import Calibration

log = logging.getLogger(__name__)

_KEY = "--min-precision"


def least_score(calibration: Calibration | None, precision: float, model: str) -> float:
    """Find the score from which on answers had a precision on the validation split.

    precision: a fraction
    model:     its name, for messages
    raises:    UserError where no score has it, or nothing is known of scores
    """
    if not 0 < precision < 1:
        raise UserError(f"{_KEY}: {precision:g} is no share between 0 and 1, such as 0.95.")
    if calibration is None:
        raise UserError(
            f"{_KEY}: {model} does not say how sure its scores are: it was trained elsewhere or by "
            "an earlier version, mixed of others, or on too little validation data. Fine-tune it "
            "again with nlpt finetune, or leave the option out."
        )
    curve = calibration.curve
    found = curve.threshold(precision)
    if found is None:
        raise UserError(f"{_KEY} {precision:g}: {_unreached(calibration, model)}")
    log.info("%s %g: %s keeps answers with %s", _KEY, precision, model, found)
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
