"""A comparison in, its tables and its page out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.comparisons.comparison import Comparison, Comparisons, Side
from nlp_transfer.comparisons.difference import Difference, p_in_words
from nlp_transfer.comparisons.predictions import file_of, lines_at
from nlp_transfer.doctor.finding import counted
from nlp_transfer.metrics.figures import four_digits
from nlp_transfer.report.page import Page, Section
from nlp_transfer.shown import Bar, BarChart, Example, Examples, Table

MOST_EXAMPLES = 2_000
"""That are shown of each kind; a page must stay small."""

_METHOD = (
    "Values are means of the runs. Intervals: paired bootstrap over {examples}{seeds}; p: "
    "approximate randomisation, two-sided{holm}; {samples:,} resamples each. A side is called "
    "better where the interval leaves out 0 and p is below 0.05."
)


def tables(pair: Comparison) -> tuple[Table, ...]:
    """Tabulate the figures of two sides."""
    nouns = pair.nouns
    rows = [("all", pair.headline), *pair.per_group.items()]
    lines = tuple(_line(name, figure) for name, figure in rows)
    a, b = pair.a.name, pair.b.name
    columns = (nouns.label, a, b, f"{b} - {a}", "95 % interval", "p")
    note = f"p of single {nouns.labels} is not corrected: one in twenty is below 0.05 by chance."
    return (Table(f"{pair.figure}: {a} and {b}", columns, lines, note),)


def sides_table(pairs: Sequence[Comparison]) -> Table:
    """List the sides, and the runs that each consists of."""
    sides = {side.name: side for pair in pairs for side in (pair.a, pair.b)}
    rows = tuple(
        (name, four_digits(side.value), _runs(side)) for name, side in sorted(sides.items())
    )
    return Table("Sides", ("", pairs[0].figure, "runs"), rows, figures=False)


def flips(pair: Comparison) -> str:
    """Say how many examples only one side has wholly right."""
    a, b = pair.a.name, pair.b.name
    only_a, only_b = len(pair.only_a_right), len(pair.only_b_right)
    several = max(len(pair.a.runs), len(pair.b.runs)) > 1
    by = " by most of its runs" if several else ""
    test = f" (McNemar {p_in_words(pair.mcnemar_p)})" if pair.mcnemar_p is not None else ""
    examples = counted(pair.examples, pair.nouns.example)
    return f"Of {examples}, only {a} has {only_a:,} wholly right{by}, only {b} {only_b:,}{test}."


def method(pair: Comparison) -> str:
    """Say how intervals and p were found."""
    several = max(len(pair.a.runs), len(pair.b.runs)) > 1
    return _METHOD.format(
        examples=f"{pair.nouns.example}s",
        seeds=" and runs" if several else "",
        holm=f", Holm's for {pair.sides} sides" if pair.sides > 2 else "",
        samples=pair.samples,
    )


def comparison_page(comparisons: Comparisons) -> Page:
    """Lay out all pairs, with the examples that one side alone has right."""
    pairs = comparisons.pairs
    names = sorted({side.name for pair in pairs for side in (pair.a, pair.b)})
    most = MOST_EXAMPLES // len(pairs)
    sections = [section for pair in pairs for section in _sections(pair, most, len(pairs) > 1)]
    return Page(
        title=f"{pairs[0].figure}: {' and '.join(names) if len(names) == 2 else ', '.join(names)}",
        headlines=tuple(map(str, pairs)),
        summary=" ".join(
            [*(flips(pair) for pair in pairs[:1] if len(pairs) == 1), method(pairs[0])]
        ),
        cautions=comparisons.cautions,
        sections=(Section("Sides", (sides_table(pairs),)), *sections),
    )


def _sections(pair: Comparison, most: int, several: bool) -> Iterator[Section]:
    a, b = pair.a.name, pair.b.name
    of = f" of {a} and {b}" if several else ""
    bars = tuple(
        _bar(name, figure) for name, figure in (("all", pair.headline), *pair.per_group.items())
    )
    chart = BarChart(f"What {b} has more than {a}", "points of F1, with the 95 % interval", bars)
    yield Section(f"Figures{of}", (*tables(pair), chart))
    flipped = ((b, pair.only_b_right), (a, pair.only_a_right))
    examples = [_examples(pair, name, numbers, most) for name, numbers in flipped]
    yield Section(f"What only one{of or ' side'} has right", tuple(examples))


def _examples(pair: Comparison, name: str, numbers: NDArray[np.int64], most: int) -> Examples:
    """Show the examples that only the named side has wholly right."""
    chosen = numbers[:most]
    of_a, of_b = (_told(side, chosen) for side in (pair.a, pair.b))
    kinds = (f"only {name} right",)
    examples = tuple(
        replace(
            a,
            answers=(*a.answers, b.answers[-1]),
            kinds=kinds,
            types=tuple(sorted({*a.types, *b.types})),
        )
        for a, b in ((of_a[number], of_b[number]) for number in chosen.tolist())
    )
    note = f"The first {most:,} of {len(numbers):,}." if len(numbers) > most else ""
    return Examples(f"Only {name} is right", examples, note)


def _told(side: Side, numbers: NDArray[np.int64]) -> dict[int, Example]:
    """Show what a side says of examples: the first of its runs that does as most of them do."""
    rights = np.stack([run.outcomes.right[numbers] for run in side.runs])
    chosen = (rights == side.right[numbers]).argmax(axis=0)
    told = {}
    for place, run in enumerate(side.runs):
        wanted = numbers[chosen == place].tolist()
        for number, line in lines_at(file_of(run.path), wanted):
            example = run.judge.shown(line, number + 1)
            gold, answer = example.answers
            told[number] = replace(example, answers=(gold, replace(answer, side=side.name)))
    return told


def _bar(name: str, figure: Difference) -> Bar:
    low, high = figure.ci95
    return Bar(name, round(100 * figure.delta, 2), (100 * low, 100 * high))


def _line(name: str, figure: Difference) -> tuple[str, ...]:
    return (name, four_digits(figure.a), four_digits(figure.b), *figure.cells())


def _runs(side: Side) -> str:
    return ", ".join(str(run.path) for run in side.runs)
