"""What a dry run or `nlpt prepare` found, for the terminal."""

from __future__ import annotations

from nlp_transfer.report.tables import ledger_lines
from nlp_transfer.report.terminal import print_table, stdout_console
from nlp_transfer.runs.estimate import Estimate
from nlp_transfer.shown import Table
from nlp_transfer.tasks.faces import Rows
from nlp_transfer.training.sizes import DataSizes, SplitSizes


def print_estimate(found: Estimate) -> None:
    """Print what a run would do and cost."""
    print_sizes(found.data)
    rows = (
        ("checkpoint", found.checkpoint),
        ("strategies", ", ".join(found.strategies)),
        ("learns", f"{found.trainable_parameters:,} of {found.total_parameters:,} parameters"),
        ("new at random", f"{found.new_parameters:,} parameters"),
        ("steps", _steps(found)),
        ("precision", found.precision),
        ("processes", str(found.world_size)),
        ("estimated training time", _duration(found.estimated_seconds)),
        (f"memory used{' by 2 steps' if found.steps else ''}", _gigabytes(found.peak_memory_bytes)),
        ("disk needed while training", _gigabytes(found.disk_bytes)),
        ("run folder", found.output),
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


def _steps(found: Estimate) -> str:
    if not found.steps:
        return "none: the head is fitted at once"
    return f"{found.steps:,} of {found.tokens_per_batch:,} pieces at most"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
