"""The report of a finished run, read again."""

from __future__ import annotations

from pathlib import Path

from nlp_transfer.errors import UserError
from nlp_transfer.report.report import Report
from nlp_transfer.runs.run_folder import RunFolder


def read_report(run: str | Path) -> Report:
    """Read the report of a finished run."""
    folder = RunFolder(Path(run))
    if folder.state() != "finished":
        raise UserError(f"{run}: there is no finished run here (no metrics.json).")
    metrics = folder.read_json("metrics.json")
    if metrics.get("task") == "pretraining":
        raise UserError(
            f"{run} is a pretraining run: its figures are in metrics.json. Fine-tune from it with "
            f"model.checkpoint={run}."
        )
    try:
        return Report.read(metrics)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{folder.path / 'metrics.json'} is damaged, or of another version of nlp_transfer "
            f"({type(error).__name__}: {str(error).partition(chr(10))[0]}). Score the model again "
            "with nlpt evaluate."
        ) from None
