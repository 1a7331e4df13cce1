"""Outcomes of two sides on one test set in; how sure the difference of their figures is, out.

A side is one run or several, which differ in nothing but the seed. Its value is the mean of their
figures. What is random is which examples the test set has and, where a side has several runs, which
seeds were tried:

- Examples. For the interval they are drawn with replacement, the same for all runs; for p, what the
  sides make of an example is swapped with probability 1/2.
- Seeds. Two runs of one recipe are two models, one of them better than the other, whatever the test
  set. How much is told from what the runs of a side differ by, less what they would differ by
  because the test set is small, which is in the first part already. It is added to both, as
  Student's t: few runs say little of how much seeds vary.

source: Efron and Tibshirani 1993 (paired bootstrap, percentiles); Noreen 1989 and Yeh 2000
        (approximate randomisation of F1); Sellam et al. 2022, The MultiBERTs (seeds and examples at
        once); Owen 2007, The pigeonhole bootstrap (resampling both counts twice what they share);
        Reimers and Gurevych 2018 (one run a side says nothing of the recipes)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from nlp_transfer.metrics.outcomes import Outcomes
from nlp_transfer.metrics.resampling import Drawn, Floats, TwoSides

MOST_RESAMPLES, LEAST_RESAMPLES = 20_000, 1_000
_WORK = 200_000_000
"""Examples times resamples."""


def resamples(examples: int, groups: int) -> int:
    """Say how often to resample: as often as takes seconds.

    Up to 10,000 examples an end of an interval is right within 0.02 of the difference's standard
    deviation, and a p of 0.05 within 0.002; at 100,000, where that deviation is small, within 0.06
    and 0.005.
    """
    return min(MOST_RESAMPLES, max(LEAST_RESAMPLES, _WORK // max(examples, 40 * groups, 1)))


@dataclass(frozen=True)
class Differences:
    """How far figures of b are above those of a, the headline's first and then each group's."""

    values_a: Floats
    """(1 + groups,), mean of the runs"""
    values_b: Floats
    intervals: Floats
    """(1 + groups, 2): 95 % of the differences"""
    p: Floats
    """(1 + groups,), two-sided"""
    sd_examples: float
    """What the headline's difference varies by from one test set of this size to another."""
    sd_seeds: float
    """What it varies by from seeds to others, on all texts; 0 where no side has several."""
    samples: int


def differences(
    a: Sequence[Outcomes], b: Sequence[Outcomes], *, samples: int | None = None, seed: int = 0
) -> Differences:
    """Set two sides beside each other.

    a, b:    the runs of each side on one test set, with the same groups
    samples: of the bootstrap and of the randomisation
    """
    samples = samples or resamples(len(a[0]), len(a[0].groups))
    sides = TwoSides(a, b)
    of_examples, of_swaps, of_seeds = np.random.default_rng(seed).spawn(3)
    drawn = sides.bootstrap(samples, of_examples)
    sd_seeds = _sd_of_seeds(sides, drawn)
    noise = np.outer(of_seeds.standard_t(max(1, sum(sides.sizes) - 2), samples), sd_seeds)
    as_large = sides.swapped(samples, of_swaps, noise)
    mean_a, mean_b = (values.mean(axis=0) for values in sides.values)
    return Differences(
        mean_a,
        mean_b,
        # Student's t of few seeds has long tails; shares do not differ by more than 1.
        intervals=np.percentile(drawn.differences + noise, [2.5, 97.5], axis=0).T.clip(-1, 1),
        p=(as_large + 1) / (samples + 1),
        sd_examples=float(drawn.differences[:, 0].std()),
        sd_seeds=float(sd_seeds[0]),
        samples=samples,
    )


def _sd_of_seeds(sides: TwoSides, drawn: Drawn) -> Floats:
    """Estimate what differences vary by because of the seeds alone: (1 + groups,).

    The variance of the runs' figures, both sides pooled, less what of it the test set makes; by
    moments, and 0 where that is more.
    """
    freedom = sum(sides.sizes) - 2
    if not freedom:
        return np.zeros_like(drawn.run_variances[0])
    above = np.concatenate([values - values.mean(axis=0) for values in sides.values])
    observed, of_examples = (above**2).sum(axis=0), drawn.run_variances.sum(axis=0)
    variance = np.maximum(0, observed - of_examples) / freedom
    return np.asarray(np.sqrt(variance * sum(1 / size for size in sides.sizes)))


def mcnemar(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> float:
    """Return p of McNemar's test, exact: whether as many are right on one side only.

    source: McNemar 1947; Dietterich 1998
    """
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def holm(p: Sequence[float]) -> list[float]:
    """Correct p of several tests, in their order, so that one false alarm in all stays as rare.

    source: Holm 1979
    """
    order = sorted(range(len(p)), key=lambda number: p[number])
    corrected, highest = [1.0] * len(p), 0.0
    for rank, number in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[number]))
        corrected[number] = highest
    return corrected


def examples_needed(found: Differences, examples: int) -> int | None:
    """Estimate how many examples show a difference of this size at p 0.05, four times of five.

    returns: None where no number does: there is no difference, or seeds alone hide it
    source:  the normal approximation; what seeds vary by does not shrink with the test set
    """
    normal = NormalDist()
    delta = float(found.values_b[0] - found.values_a[0])
    wanted = (delta / (normal.inv_cdf(0.975) + normal.inv_cdf(0.8))) ** 2
    if wanted <= found.sd_seeds**2:
        return None
    return round(examples * found.sd_examples**2 / (wanted - found.sd_seeds**2))
