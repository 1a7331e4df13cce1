"""Runs of two sides on one test set in; which is better, and how sure that is, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, combinations
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.comparisons.cautions import cautions_of
from nlp_transfer.comparisons.difference import Difference, p_in_words
from nlp_transfer.comparisons.predictions import Predictions, read_predictions, same_test_set
from nlp_transfer.errors import UserError
from nlp_transfer.metrics.significance import differences, examples_needed, holm, mcnemar
from nlp_transfer.records import Nouns

Verdict = Literal["a", "b", "unclear"]
ALPHA = 0.05


@dataclass(frozen=True)
class Side:
    """One side: a run, or several that differ in nothing but the seed."""

    name: str
    """A, B, ..."""
    runs: tuple[Predictions, ...]

    @property
    def value(self) -> float:
        """The headline, mean of the runs."""
        return float(np.mean([run.outcomes.value for run in self.runs]))

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """(examples,): which ones most of the runs have wholly right."""
        times = np.sum([run.outcomes.right for run in self.runs], axis=0)
        return np.asarray(2 * times > len(self.runs))

    def as_dict(self) -> dict[str, Any]:
        return {"value": self.value, "runs": [str(run.path) for run in self.runs]}


@dataclass(frozen=True)
class Comparison:
    """What is said of two sides; `str` says it in a sentence."""

    figure: str
    """The headline's name."""
    nouns: Nouns
    a: Side
    b: Side
    headline: Difference
    """p is corrected where more than two sides are compared."""
    per_group: Mapping[str, Difference]
    """By type or label; p is not corrected."""
    needed: int | None
    """Examples that show a difference of this size; None: no number of them does."""
    mcnemar_p: float | None
    """Whether as many examples are right on one side only; None where a side has several runs."""
    samples: int
    """Resamples of the interval and of p."""
    cautions: tuple[str, ...]
    sides: int = 2
    """How many were compared in all."""

    @property
    def examples(self) -> int:
        """How many the test set has."""
        return len(self.a.right)

    @property
    def is_of_two_runs(self) -> bool:
        """Whether nothing is known of how much seeds vary."""
        return len(self.a.runs) == len(self.b.runs) == 1

    @property
    def verdict(self) -> Verdict:
        """The side that is better; interval and p must both say so."""
        low, high = self.headline.ci95
        if self.headline.p >= ALPHA or low <= 0 <= high:
            return "unclear"
        return "b" if low > 0 else "a"

    @property
    def only_a_right(self) -> NDArray[np.int64]:
        """Numbers, from 0, of the examples that a alone has wholly right."""
        return np.flatnonzero(self.a.right & ~self.b.right)

    @property
    def only_b_right(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.b.right & ~self.a.right)

    def __str__(self) -> str:
        """Say in words which is better, or what it would take to tell."""
        delta, low, high, p = self.headline.delta, *self.headline.ci95, self.headline.p
        if self.verdict == "a":  # said of the better one
            delta, low, high = -delta, -high, -low
        # One digit, or two where one would hide which side of 0 an end is on.
        digits = 1 if min(high - low, abs(low), abs(high)) >= 0.001 else 2
        size = f"{100 * delta:+.{digits}f} {self.figure}"
        between = f"95 % {100 * low:.{digits}f} to {100 * high:.{digits}f}"
        figures = f"{size}, {between}, {p_in_words(p)}"
        of_several = self.sides > 2
        if self.verdict == "unclear":
            which = f" {self.a.name} and {self.b.name} apart" if of_several else ""
            return f"cannot tell{which}: {figures}{self._wanted()}"
        better, other = (self.a, self.b) if self.verdict == "a" else (self.b, self.a)
        than = f" than {other.name}" if of_several else ""
        # The line will be quoted without the cautions.
        models = " (one run a side: of these two models)" if self.is_of_two_runs else ""
        return f"{better.name} is better{than}: {figures}{models}"

    def _wanted(self) -> str:
        """Say what would show a difference of this size."""
        if self.headline.delta == 0:
            return ""
        if self.needed is None:
            return "; the runs of one side differ too much: it takes more of them, not more data"
        if self.needed <= self.examples:
            return ""
        items = f"{self.nouns.example}s"
        count = f"{float(f'{self.needed:.2g}'):,.0f}"
        return f"; about {count} test {items} would be needed to see a difference of this size"

    def corrected(self, p: float, *, sides: int) -> Comparison:
        """Say it as one of the pairs of several sides, with the p that is corrected for them."""
        return replace(self, headline=replace(self.headline, p=p), sides=sides)

    def as_dict(self) -> dict[str, Any]:
        """Write it as `nlpt compare --json` prints it."""
        return {
            "figure": self.figure,
            "a": self.a.as_dict(),
            "b": self.b.as_dict(),
            "delta": self.headline.delta,
            "ci95": list(self.headline.ci95),
            "p": self.headline.p,
            "verdict": self.verdict,
            "per_type": {name: group.as_dict() for name, group in self.per_group.items()},
            "flipped": {
                "only_a_right": len(self.only_a_right),
                "only_b_right": len(self.only_b_right),
            },
        }


@dataclass(frozen=True)
class Comparisons:
    """All pairs of two or more sides."""

    pairs: tuple[Comparison, ...]

    @property
    def cautions(self) -> tuple[str, ...]:
        """What a reader must know beside the figures, of any pair."""
        return tuple(dict.fromkeys(line for pair in self.pairs for line in pair.cautions))

    def as_dict(self) -> dict[str, Any]:
        """Write the one pair, or a list under "pairs"."""
        if len(self.pairs) == 1:
            return self.pairs[0].as_dict()
        return {"pairs": [pair.as_dict() for pair in self.pairs]}


def compare_runs(a: Sequence[Path], b: Sequence[Path]) -> Comparison:
    """Compare two sides.

    a, b:   run folders or files of predictions, one or more seeds each
    raises: UserError where predictions cannot be read or are not about the same test set
    """
    return compare_sides([a, b]).pairs[0]


def compare_sides(sides: Sequence[Sequence[Path]]) -> Comparisons:
    """Compare every two of two or more sides, as `compare_runs` does; p is Holm's."""
    if not 2 <= len(sides) <= len(ascii_uppercase):
        raise UserError(
            f"nlpt compare takes 2 to {len(ascii_uppercase)} sides, not {len(sides)}. Runs of one "
            "recipe with several seeds are one side: join them with commas."
        )
    read = {path: read_predictions(path) for path in dict.fromkeys(chain(*sides))}
    same_test_set(list(read.values()))
    named = [
        Side(name, tuple(read[path] for path in side))
        for name, side in zip(ascii_uppercase, sides, strict=False)
    ]
    pairs = [_compared(a, b) for a, b in combinations(named, 2)]
    corrected = holm([pair.headline.p for pair in pairs])
    return Comparisons(
        tuple(pair.corrected(p, sides=len(sides)) for pair, p in zip(pairs, corrected, strict=True))
    )


def _compared(a: Side, b: Side) -> Comparison:
    runs = [run.outcomes for side in (a, b) for run in side.runs]
    groups = sorted({name for run in runs for name in run.groups})
    among = [run.among(groups) for run in runs]
    found = differences(among[: len(a.runs)], among[len(a.runs) :])
    headline, *others = (
        Difference(value_a, value_b, (low, high), p)
        for value_a, value_b, (low, high), p in zip(
            found.values_a.tolist(),
            found.values_b.tolist(),
            found.intervals.tolist(),
            found.p.tolist(),
            strict=True,
        )
    )
    return Comparison(
        figure=runs[0].figure,
        nouns=a.runs[0].task.rows.nouns,
        a=a,
        b=b,
        headline=headline,
        per_group=dict(zip(groups, others, strict=True)),
        needed=examples_needed(found, len(runs[0])),
        mcnemar_p=mcnemar(a.right, b.right) if len(runs) == 2 else None,
        samples=found.samples,
        cautions=cautions_of(a.runs, b.runs),
    )
