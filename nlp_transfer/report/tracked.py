"""A report in, every figure of it under a name for experiment trackers out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlp_transfer.metrics.flat import by_path

if TYPE_CHECKING:
    from nlp_transfer.report.report import Report

_TRAINERS = {"validation": "eval"}
"""What the Trainer calls a split."""


def tracked_figures(report: Report) -> dict[str, float]:
    """Name every number of metrics.json, the headlines first.

    >>> tracked_figures(report)
    {'test/entity_f1': 0.91, ..., 'test/entity/per_type/PER/f1': 0.95, ..., 'train/seconds': 21.2}
    """
    figures = _of_splits(report, inside="")
    if report.training is not None:
        figures |= {f"train/{path}": value for path, value in by_path(report.training).items()}
    return figures


def _of_splits(report: Report, *, inside: str) -> dict[str, float]:
    """Name the figures of all splits; inside: what comes after the name of the split."""
    headlines: dict[str, float] = {}
    others: dict[str, float] = {}
    for split, one in report.splits.items():
        place = f"{_TRAINERS.get(split, split)}/{inside}"
        headline = one.figures.headline
        name = headline.name.lower().replace(" ", "_")
        headlines[place + name] = headline.value
        others |= {place + path: value for path, value in by_path(one.as_dict()).items()}
    figures = {**headlines, **others}
    for task, side in report.tasks.items():
        figures |= _of_splits(side, inside=f"{inside}tasks/{task}/")
    return figures
