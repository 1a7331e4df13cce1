"""A report in, Markdown and HTML pages out."""

from __future__ import annotations

from typing import Any

from jinja2 import Template

from nlp_transfer.report.escaping import html_templates, markdown_templates
from nlp_transfer.report.report import Report
from nlp_transfer.report.tables import caveats, headline, side_tasks, split_tables, training_table

MARKDOWN = markdown_templates("nlp_transfer.report")
HTML = html_templates("nlp_transfer.report")


def markdown_page(report: Report) -> str:
    """Write the report as Markdown."""
    return _render(MARKDOWN.get_template("report.md.jinja"), report)


def html_page(report: Report) -> str:
    """Write the report as one self-contained HTML page."""
    return _render(HTML.get_template("report.html.jinja"), report)


def html_fragment(report: Report) -> str:
    """Write what a notebook shows below a cell, in the notebook's own style."""
    return _render(HTML.get_template("notebook.html.jinja"), report)


def _splits(metrics: Any, of: str = "") -> list[dict[str, Any]]:
    """List what a page shows of one task.

    of: what to put before each title
    """
    return [
        {
            "name": f"{of}{split}",
            "headline": f"{of}{headline(metrics, split)}",
            "caveats": [f"{of}{caveat}" for caveat in caveats(metrics, split)],
            "tables": split_tables(metrics, split),
        }
        for split in metrics["splits"]
    ]


def _render(template: Template, report: Report) -> str:
    metrics: Any = report.metrics
    splits = _splits(metrics)
    for name, side in side_tasks(metrics).items():
        splits += _splits(side, f"{name}, ")
    training = metrics.get("training")
    return template.render(
        metrics=metrics,
        splits=splits,
        notes=report.notes,
        training=training_table(training) if training else None,
    )
