"""What a dry run or `nlpt prepare` found, for the terminal."""

from __future__ import annotations

from nlp_transfer.records import Table
from nlp_transfer.report.tables import ledger_lines
from nlp_transfer.report.terminal import print_table, stdout_console
from nlp_transfer.runs.estimate import Estimate
from nlp_transfer.tasks.faces import Rows
from nlp_transfer.training.sizes import DataSizes, SplitSizes


def print_plan(plan: Estimate) -> None:
    """Print what a run would do and cost."""
    print_sizes(plan.data)
    rows = (
        ("checkpoint", plan.checkpoint),
        ("strategies", ", ".join(plan.strategies)),
        ("learns", f"{plan.trainable_parameters:,} of {plan.total_parameters:,} parameters"),
        ("new at random", f"{plan.new_parameters:,} parameters"),
        ("steps", f"{plan.steps:,} of {plan.tokens_per_batch:,} pieces at most"),
        ("precision", plan.precision),
        ("processes", str(plan.world_size)),
        ("estimated training time", _duration(plan.estimated_seconds)),
        ("memory used by 2 steps", f"{plan.peak_memory_bytes / 1e9:.2f} GB"),
        ("disk needed while training", f"{plan.disk_bytes / 1e9:.2f} GB"),
        ("run folder", plan.output),
    )
    print_table(Table("", ("", ""), rows, figures=False), stdout_console())
    stdout_console().print("Dry run: nothing was written.")


def print_sizes(sizes: DataSizes) -> None:
    """Print counts, window lengths and the loss ledger of every split."""
    columns = [_split_lines(split, sizes.task.rows) for split in sizes.splits.values()]
    rows = tuple(
        (name, *(f"{column.get(name, 0):,}" for column in columns))
        for name in dict.fromkeys(name for column in columns for name in column)
    )
    console = stdout_console()
    print_table(Table(f"{sizes.recipe}: data", ("", *sizes.splits), rows), console)
    console.print(f"labels: {', '.join(sizes.labels)}", highlight=False)
    for side in sizes.tasks.values():
        print_sizes(side)


def _split_lines(split: SplitSizes, rows: Rows) -> dict[str, int]:
    return {
        **ledger_lines(split.ledger, rows),
        "pieces": split.pieces,
        "pieces of the median window": split.median_window,
        "pieces of the longest window": split.longest_window,
    }


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
