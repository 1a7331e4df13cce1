"""The report of a finished run, read again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from nlp_transfer.errors import UserError
from nlp_transfer.logs import lines_shown
from nlp_transfer.manifest import check_file, list_again
from nlp_transfer.report.page_file import check_page_path, write_page
from nlp_transfer.report.report import Report
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.tasks.analysis import Analysis
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.optional import Line


@lines_shown()
def read_report(run: str | Path, *, html: str | Path | None = None) -> Report:
    """Read the report of a finished run.

    html: where to write its page anew, such as that of a run of an earlier version
    """
    if html is not None:
        check_page_path(Path(html))
    folder = RunFolder(Path(run))
    if (folder.path / "plan.json").is_file():
        raise UserError(
            f"{run} is a study: its report is {folder.path / 'study.md'}. Name one of its runs: "
            f"{folder.path / 'runs'}/..."
        )
    if folder.state() != "finished":
        raise UserError(f"{run}: there is no finished run here (no metrics.json).")
    metrics = folder.read_json("metrics.json")
    if metrics.get("task") == "pretraining":
        raise UserError(
            f"{run} is a pretraining run: its figures are in metrics.json. Fine-tune from it with "
            f"model.checkpoint={run}."
        )
    try:
        report = Report.read(metrics)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{folder.path / 'metrics.json'} is damaged, or of another version of nlp_transfer "
            f"({type(error).__name__}: {str(error).partition(chr(10))[0]}). Score the model again "
            "with nlpt evaluate."
        ) from None
    if html is not None:
        from nlp_transfer.report.report_page import report_page

        write_page(Path(html), report_page(_with_examples(report, folder), log=folder.log()))
        list_again(Path(html))  # where it is the run's own
    return report


def _with_examples(report: Report, folder: RunFolder) -> Report:
    """Add the examples of the last split, which predictions.jsonl holds."""
    from nlp_transfer.comparisons.predictions import FILE, lines

    look, file = report.task.error_analysis, folder.path / FILE
    if look is None or not file.is_file() or not report.splits:
        return report
    check_file(file)
    try:
        examples = look.examples(_judged(report.task, lines(file), file))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UserError(
            f"{file}: a line is not as nlpt writes it ({type(error).__name__}: {error}). Score the "
            "model again with nlpt evaluate, or take the file away: the page is written without "
            "examples then."
        ) from None
    name, split = list(report.splits.items())[-1]
    analysis = replace(split.analysis or Analysis(), examples=examples)
    return replace(report, splits={**report.splits, name: replace(split, analysis=analysis)})


def _judged(task: Task, lines: Iterable[Line], file: Path) -> Iterator[Line]:
    """Hand lines on; the first one that cannot be judged is an error that names it."""
    for number, line in enumerate(lines, 1):
        if task.judge is not None:
            task.judge.judge(line, f"{file}:{number}")
        yield line
