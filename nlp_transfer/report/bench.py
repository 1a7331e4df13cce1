"""What was measured of engines in, a table and what it comes to out."""

from __future__ import annotations

from collections.abc import Iterator

from nlp_transfer.engines.outcome import Outcome, Spread, Timed
from nlp_transfer.inference.found_engines import MIN_ALIKE
from nlp_transfer.shown import Table


def bench_table(outcome: Outcome) -> Table:
    """Show each engine with each size of batch, and the stock pipeline below them."""
    columns = (
        "engine", "pieces a batch", "examples/s", "slowest to fastest round",
        *(f"/ pipeline {batch}" for batch in outcome.stock),
        "start, s", "MB", "same as torch-fp32", outcome.headline,
    )  # fmt: skip
    ours = [_row(outcome, timed) for timed in outcome.timed]
    stock = [
        (f"transformers pipeline, fp32, batch {batch}", "", *_speed(rates.by(outcome.clock)))
        for batch, rates in outcome.stock.items()
    ]
    rows = (*ours, *((*row, *[""] * (len(columns) - len(row))) for row in stock))
    of = f" of {outcome.of:,}" if outcome.of > outcome.count else ""
    clock = "" if outcome.clock == "wall" else "; seconds are those of all cores together"
    note = (
        f"{outcome.examples}, {outcome.count:,}{of} examples; speed on {outcome.timed_count:,} of "
        f"them, medians of {len(outcome.timed[0].rates.wall)} rounds in turns{clock}."
    )
    return Table("Engines", columns, rows, note)


def _row(outcome: Outcome, timed: Timed) -> tuple[str, ...]:
    facts, speed = timed.facts, outcome.speed(timed)
    stock = [rates.by(outcome.clock) for rates in outcome.stock.values()]
    first = facts.first_start_seconds
    start = f"{facts.start_seconds:.1f}" + (f" (first {first:.0f})" if first else "")
    return (
        facts.name,
        f"{timed.tokens_per_batch:,}",
        *_speed(speed),
        *(f"{speed.median / rates.median:.1f}x" for rates in stock),
        start,
        "" if facts.megabytes is None else f"{facts.megabytes:,.0f}",
        f"{100 * facts.agreement:.2f} %",
        "" if facts.figure is None else f"{facts.figure:.4f}",
    )


def _speed(speed: Spread) -> tuple[str, str]:
    return f"{speed.median:,.1f}", f"{speed.low:,.1f} to {speed.high:,.1f}"


def remarks(outcome: Outcome) -> Iterator[str]:
    """Say what it comes to: the fastest, what auto takes, and what was not measured."""
    first, *others = outcome.ranked()
    if outcome.is_told():
        yield f"Fastest: {_named(outcome, first)}."
    else:
        yield (
            f"Cannot tell which is fastest: {_named(outcome, first)} and "
            f"{_named(outcome, others[0])} do not differ by more than their spread."
        )
    share = outcome.peak_share(first)
    if share is not None and outcome.peak_flops is not None:
        yield (
            f"{first.facts.name} reaches {100 * share:.0f} % of {outcome.peak_flops / 1e9:,.0f} "
            f"GFLOP/s, what one large {outcome.peak_precision} matrix product does here."
        )
    if chosen := outcome.chosen():
        yield (
            f"--engine auto takes {chosen.name} with {chosen.tokens_per_batch:,} pieces a batch "
            f"here: the fastest of those that answer at least {100 * MIN_ALIKE:.1f} % of the "
            "examples as torch-fp32 does, or PyTorch as ever where that cannot be told from it."
        )
    for one in outcome.ranked():
        if one.facts.engine == "onnx" and one.facts.sha256 is None:
            int8 = " --quantize int8" if one.facts.precision == "int8" else ""
            yield (
                f"{one.facts.name} was exported to be measured only. To have it chosen: nlpt "
                f"export RUN{int8}, then nlpt bench again."
            )
    for name, why in outcome.skipped.items():
        yield f"{name} is not measured: {why}"


def _named(outcome: Outcome, timed: Timed) -> str:
    rate = outcome.speed(timed).median
    return f"{timed.facts.name}, {timed.tokens_per_batch:,} pieces a batch ({rate:,.0f} examples/s)"
