"""A report in, Markdown and HTML pages out."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from nlp_transfer.records import Report
from nlp_transfer.report.tables import caveats, headline, side_tasks, split_tables

TEMPLATES = Environment(
    loader=PackageLoader("nlp_transfer.report", "templates"),
    autoescape=select_autoescape(["html.jinja"]),
    trim_blocks=True,
    lstrip_blocks=True,
)


def _cell(text: object) -> str:
    """Keep a label's name whole inside one cell of a Markdown table."""
    line = " ".join(str(text).splitlines())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


TEMPLATES.filters["cell"] = _cell


def markdown_page(report: Report) -> str:
    """Write the report as Markdown."""
    return _render("report.md.jinja", report)


def html_page(report: Report) -> str:
    """Write the report as one self-contained HTML page."""
    return _render("report.html.jinja", report)


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


def _render(template: str, report: Report) -> str:
    metrics: Any = report.metrics
    splits = _splits(metrics)
    for name, side in side_tasks(metrics).items():
        splits += _splits(side, f"{name}, ")
    return TEMPLATES.get_template(template).render(
        metrics=metrics, splits=splits, notes=report.notes
    )
