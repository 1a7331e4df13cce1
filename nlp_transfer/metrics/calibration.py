"""Scores and whether each was right in; how far the scores can be trusted, and better ones, out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FURTHEST = 12.0
"""Log odds beyond it are taken for it: no validation split can check odds of 160,000 to 1."""
SLOPES = (0.05, 20.0)
"""Least and greatest slope that is fitted: scores that tell nothing still keep their order."""
_STEPS = 50
"""Newton's steps at most; five are the rule."""
_CLOSE = 1e-9


class Priors(NamedTuple):
    """How many entities it takes to move the curve from where it starts; see docs/confidence.md.

    Precisions of normal priors: of the slope around 1, of the shift around 0, of each group's
    shift around 0.
    """

    slope: float = 10.0
    shift: float = 1.0
    group: float = 3.0


class Curve(NamedTuple):
    """Log odds of being right: slope * log odds of the model + shift + shift of the group."""

    slope: float
    shift: float
    groups: Floats


def log_odds(probabilities: Floats) -> Floats:
    """Turn probabilities into log odds, none further from 0 than FURTHEST."""
    with np.errstate(divide="ignore"):
        odds: Floats = np.log(probabilities) - np.log1p(-probabilities)
    return odds.clip(-FURTHEST, FURTHEST)


def chance(odds: Floats) -> Floats:
    """Turn log odds into probabilities."""
    probabilities: Floats = 1 / (1 + np.exp(-odds))
    return probabilities


def fit_curve(
    odds: Floats,
    right: Bools,
    groups: NDArray[np.int64],
    count: int,
    priors: Priors = Priors(),  # noqa: B008 (a constant)
) -> Curve:
    """Fit how log odds of a model become log odds of being right.

    With few examples the curve stays near the model's own probabilities, and the shift of a group
    near that of all.

    odds:    (answers,) as `log_odds` gives them
    right:   (answers,) whether each was right
    groups:  (answers,) the group of each answer, from 0
    count:   how many groups there are
    returns: the likeliest curve under the priors, by Newton's method
    source:  Platt 1999; Guo et al. 2017, section 4 (its slope is 1 / temperature)
    """
    member = groups[:, None] == np.arange(count)
    inputs = np.column_stack([odds, np.ones(len(odds)), member])
    start = np.array([1.0, *np.zeros(count + 1)])
    precision = np.array([priors.slope, priors.shift, *[priors.group] * count])

    def loss(fitted: Floats) -> float:
        answers = inputs @ fitted
        unlikely = np.logaddexp(0, answers).sum() - answers[right].sum()
        return float(unlikely + (precision * (fitted - start) ** 2).sum() / 2)

    def newton(fitted: Floats) -> Floats:
        expected = chance(inputs @ fitted)
        gradient = inputs.T @ (expected - right) + precision * (fitted - start)
        spread = (inputs.T * (expected * (1 - expected))) @ inputs
        step: Floats = np.linalg.solve(spread + np.diag(precision), gradient)
        return step

    fitted = _minimum(loss, newton, start)
    return Curve(float(fitted[0]), float(fitted[1]), fitted[2:])


def fit_temperature(
    log_probabilities: Floats, gold: NDArray[np.int64], *, prior: float = 10.0
) -> float:
    """Fit what a classifier's logits are divided by, so that its probabilities come true.

    log_probabilities: (texts, labels)
    gold:              (texts,) number of each text's label
    prior:             precision of a normal prior of 1 / temperature around 1
    returns:           the temperature; above 1 the model was too sure
    source:            Guo et al. 2017, section 4.2
    """
    told = log_probabilities[np.arange(len(gold)), gold].sum()

    def loss(inverse: Floats) -> float:
        whole = np.logaddexp.reduce(log_probabilities * inverse, axis=1).sum()
        return float(whole - inverse[0] * told + prior * (inverse[0] - 1) ** 2 / 2)

    def newton(inverse: Floats) -> Floats:
        probabilities = np.exp(tempered(log_probabilities, 1 / inverse[0]))
        mean = (probabilities * log_probabilities).sum(axis=1)
        square = (probabilities * log_probabilities**2).sum(axis=1)
        gradient = mean.sum() - told + prior * (inverse - 1)
        step: Floats = gradient / ((square - mean**2).sum() + prior)
        return step

    return 1 / float(_minimum(loss, newton, np.ones(1))[0])


def _minimum(
    loss: Callable[[Floats], float], newton: Callable[[Floats], Floats], start: Floats
) -> Floats:
    """Find the minimum of a convex loss by Newton's method, steps halved where they go too far.

    The first parameter is a slope, which stays within SLOPES.
    """
    here, least = start, loss(start)
    for _ in range(_STEPS):
        step = newton(here)
        while np.abs(step).max() > _CLOSE:
            there = here - step
            there[0] = there[0].clip(*SLOPES)
            if (found := loss(there)) < least:
                break
            step = step / 2
        else:
            break
        here, least = there, found
    return here


def tempered(log_probabilities: Floats, temperature: float) -> Floats:
    """Divide logits by a temperature: (items, labels) log-probabilities in and out."""
    scaled = log_probabilities / temperature
    normed: Floats = scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)
    return normed
