"""What a dry run or a preparation found, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nlp_transfer.records import LossLedger, Table
from nlp_transfer.report.tables import ledger_lines
from nlp_transfer.report.terminal import print_table, stdout_console
from nlp_transfer.tasks import task_named
from nlp_transfer.tasks.base import Rows


def print_plan(plan: Mapping[str, Any]) -> None:
    """Print what a run would do and cost."""
    print_prepared(plan)
    rows = (
        ("checkpoint", plan["checkpoint"]),
        ("strategies", ", ".join(plan["strategies"])),
        ("learns", f"{plan['trainable_parameters']:,} of {plan['total_parameters']:,} parameters"),
        ("new at random", f"{plan['new_parameters']:,} parameters"),
        ("steps", f"{plan['steps']:,} of {plan['tokens_per_batch']:,} pieces at most"),
        ("precision", plan["precision"]),
        ("processes", str(plan["world_size"])),
        ("estimated training time", _duration(plan["estimated_seconds"])),
        ("memory used by 2 steps", f"{plan['peak_memory_bytes'] / 1e9:.2f} GB"),
        ("disk needed while training", f"{plan['disk_bytes'] / 1e9:.2f} GB"),
        ("run folder", plan["output"]),
    )
    print_table(Table("", ("", ""), rows, figures=False), stdout_console())
    stdout_console().print("Dry run: nothing was written.")


def print_prepared(summary: Mapping[str, Any]) -> None:
    """Print counts, window lengths and the loss ledger of every split."""
    splits: Mapping[str, Any] = summary["splits"]
    read = task_named(summary["task"]).rows
    columns = [_split_lines(splits[split], read) for split in splits]
    rows = tuple(
        (name, *(f"{column.get(name, 0):,}" for column in columns))
        for name in dict.fromkeys(name for column in columns for name in column)
    )
    console = stdout_console()
    print_table(Table(f"{summary['recipe']}: data", ("", *splits), rows), console)
    console.print(f"labels: {', '.join(summary['labels'])}", highlight=False)
    for side in summary.get("tasks", {}).values():
        print_prepared(side)


def _split_lines(split: Mapping[str, Any], read: Rows) -> dict[str, int]:
    return {
        **ledger_lines(LossLedger(**split["ledger"]), read),
        "pieces": split["pieces"],
        "pieces of the median window": split["median_window"],
        "pieces of the longest window": split["longest_window"],
    }


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
