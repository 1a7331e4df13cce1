"""A report in, Markdown and HTML pages out."""

from __future__ import annotations

from jinja2 import Template

from nlp_transfer.report.escaping import html_templates, markdown_templates
from nlp_transfer.report.report import Report
from nlp_transfer.report.tables import shown_splits, training_table

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


def _render(template: Template, report: Report) -> str:
    splits = shown_splits(report)
    for name, side in report.tasks.items():
        splits += shown_splits(side, f"{name}, ")
    training = training_table(report.training) if report.training else None
    return template.render(report=report, splits=splits, training=training)
