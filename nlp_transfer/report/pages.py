"""A page as a value in, Markdown and self-contained HTML out."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import chain, count, zip_longest

from markupsafe import Markup

from nlp_transfer.report.browser import browser_data
from nlp_transfer.report.charts.drawing import draw
from nlp_transfer.report.charts.lines import told
from nlp_transfer.report.charts.numbers import table_of
from nlp_transfer.report.escaping import html_templates, markdown_templates
from nlp_transfer.report.page import Page, Section
from nlp_transfer.report.report import Report
from nlp_transfer.report.report_page import report_page
from nlp_transfer.shown import Block, Chart, Examples, Grid, LineChart, Table

MARKDOWN = markdown_templates("nlp_transfer.report")
HTML = html_templates("nlp_transfer.report")

_SCRIPTS = ("sorting.js", "example.js", "browser.js")
"""What a page runs; the last ones only where it has examples."""
_MOST_ROWS = 20
"""Of a curve, where it is not drawn; a longer one is told in words."""
_NARROW = 62
"""Letters of a line of a table that fits half of a page."""
_HEADLINE = re.compile(r"(?P<name>.+?) (?P<figure>[01]\.\d+(?: ± \d\.\d+)?) (?P<interval>\(.+\))")
"""A name, its figure, and in brackets what belongs to it; other headlines are set as a line."""


def markdown_page(page: Page) -> str:
    """Write a page as Markdown: charts are tables or a line of words, examples are left out."""
    return MARKDOWN.get_template("page.md.jinja").render(page=page, sections=_as_tables(page))


def html_page(page: Page) -> str:
    """Write a page as one HTML file that loads nothing and runs its own script only."""
    sections = list(_drawn_sections(page.sections))
    has_examples = any(drawn.kind == "examples" for of in sections for drawn in of.blocks)
    style = _file("page.css")
    script = "\n".join(map(_file, _SCRIPTS if has_examples else _SCRIPTS[:1]))
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return HTML.get_template("page.html.jinja").render(
        page=page,
        headlines=[(line, _HEADLINE.fullmatch(line)) for line in page.headlines],
        sections=sections,
        policy=policy,
        style=Markup(style),
        script=Markup(script),
    )


def html_fragment(report: Report) -> str:
    """Write what a notebook shows below a cell, in the notebook's own style."""
    page = report_page(report)
    return HTML.get_template("notebook.html.jinja").render(page=page, sections=_as_tables(page))


def _as_tables(page: Page) -> list[tuple[str, list[Table]]]:
    """List the sections that have something without drawings and scripts, by their titles."""
    tables = (
        (section.title, [_as_table(b) for b in section.blocks if not isinstance(b, Examples)])
        for section in page.sections
    )
    return [(title, of) for title, of in tables if of]


def _as_table(block: Table | Chart) -> Table:
    if isinstance(block, Table):
        return block
    table = table_of(block)
    if isinstance(block, LineChart) and len(table.rows) > _MOST_ROWS:
        return replace(table, rows=(), note=f"{table.note} {told(block)}".strip())
    return table


@dataclass(frozen=True)
class _Drawn:
    """A block as HTML."""

    id: str
    kind: str
    block: Block
    body: Markup
    numbers: Markup | None = None
    """What a chart draws, as a table."""


@dataclass(frozen=True)
class _DrawnSection:
    id: str
    title: str
    blocks: tuple[_Drawn, ...]


def _drawn_sections(sections: tuple[Section, ...]) -> Iterator[_DrawnSection]:
    prefixes = chain(["e"], (f"e{number}-" for number in count(2)))
    for number, section in enumerate(sections, 1):
        name = f"s{number}"
        blocks = enumerate(section.blocks, 1)
        drawn = tuple(_drawn(block, f"{name}-{place}", prefixes) for place, block in blocks)
        yield _DrawnSection(name, section.title, drawn)


def _drawn(block: Block, name: str, prefixes: Iterator[str]) -> _Drawn:
    """Write a block.

    name:     its id
    prefixes: of the ids of examples; each browser takes one, so that #e123 is one of the first's
    """
    match block:
        case Table():
            kind = "table narrow" if _is_narrow(block) else "table"
            return _Drawn(name, kind, block, _table(block))
        case Examples():
            return _Drawn(name, "examples", block, _browser(block, next(prefixes)))
    kind = "matrix" if isinstance(block, Grid) else "chart"
    return _Drawn(name, kind, block, draw(block, name), _table(table_of(block)))


def _is_narrow(table: Table) -> bool:
    """Tell whether two such tables have room beside each other."""
    lines = (table.columns, *table.rows)
    widths = [max(map(len, cells)) for cells in zip_longest(*lines, fillvalue="")]
    widths[:1] = [min(_NARROW // 2, width) for width in widths[:1]]  # names may go over two lines
    return sum(widths) + 3 * len(widths) <= _NARROW


def _table(table: Table) -> Markup:
    return Markup(HTML.get_template("table.html.jinja").render(table=table))


def _browser(examples: Examples, prefix: str) -> Markup:
    """Write what the script fills; prefix: of the ids of examples, before their numbers."""
    data, kept = browser_data(examples)
    left_out = len(examples.examples) - kept
    return Markup(
        HTML.get_template("examples.html.jinja").render(
            title=examples.title, prefix=prefix, data=data, kept=kept, left_out=left_out
        )
    )


@cache
def _file(name: str) -> str:
    return (files("nlp_transfer.report") / "templates" / name).read_text("utf-8")


def _hash(text: str) -> str:
    """Return what a Content-Security-Policy calls an inline style or script by."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
