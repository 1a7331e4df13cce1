"""What a run predicts and its report in, the files of its folder out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.files import write_json_lines, write_text
from nlp_transfer.processes import is_main_process, wait_for_all
from nlp_transfer.records import Prediction
from nlp_transfer.report.pages import html_page, markdown_page
from nlp_transfer.report.report import Report
from nlp_transfer.report.report_page import report_page
from nlp_transfer.runs.own_folder import read_by_all
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.training.examples import TaskWindows


def write_results(
    folder: RunFolder,
    tasks: Sequence[TaskWindows],
    predictions: Sequence[Mapping[str, Sequence[Prediction]]],
    report: Report,
    *,
    card: str,
) -> None:
    """Write predictions and report; metrics.json last, for it marks the run as finished.

    predictions: of each task, by split
    card:        the model card
    """
    if is_main_process():
        for task, predicted in zip(tasks, predictions, strict=True):
            of_task = folder.side_task(task.planned.name) if task.planned.name else folder
            _write_predictions(of_task, task, predicted)
        page = report_page(report, log=folder.log())
        write_text(folder.path / "report.md", markdown_page(page))
        write_text(folder.path / "report.html", html_page(page))
        write_text(folder.path / "README.md", card)
        folder.finish(report.metrics)
    wait_for_all()
    read_by_all(folder)


def _write_predictions(
    folder: RunFolder, task: TaskWindows, predictions: Mapping[str, Sequence[Prediction]]
) -> None:
    """Write what was predicted for the last of the scored splits."""
    for split in task.recipe.evaluation.splits[-1:]:
        results = task.recipe.task.results
        pairs = zip(iterate(task.splits[split]), predictions[split], strict=True)
        lines = (results.example(*pair) for pair in pairs)
        write_json_lines(folder.path / "predictions.jsonl", lines)
