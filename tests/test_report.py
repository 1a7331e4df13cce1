"""Pages of a report: the figure that counts, the warning beside the other one, names kept whole."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from nlp_transfer.errors import UserError
from nlp_transfer.flows.report import read_report
from nlp_transfer.metrics.entities import entity_figures
from nlp_transfer.metrics.labels import class_figures, label_figures
from nlp_transfer.records import LossLedger
from nlp_transfer.report import pages
from nlp_transfer.report.report import Report
from nlp_transfer.report.report_page import report_page
from nlp_transfer.report.tables import shown_splits
from nlp_transfer.report.terminal import print_report

NASTY = ("a|b", "<script>alert(1)</script>", "[red]", "[/bold]", "R&D", "two\nlines")


LEDGER = LossLedger(sentences=4, words=1234)


def ner_report(types=("PER", "LOC"), ledger=LEDGER) -> Report:
    gold = [[f"B-{name}", f"I-{name}", "O"] for name in types]
    predicted = [[f"B-{name}", f"I-{name}", "O"] for name in types[:-1]] + [["O", "O", "O"]]
    figures = {
        **entity_figures(gold, predicted, samples=100).as_dict(),
        "token": label_figures(gold, predicted).as_dict("per_tag"),
        "ledger": ledger.as_dict(),
    }
    return Report.read(
        {
            "schema": 1,
            "task": "ner",
            "recipe": "my-recipe",
            "splits": {"validation": figures, "test": figures},
            "training": {"seconds": 1234.5, "precision": "fp32", "steps": 10_000},
            "notes": ["The checkpoint is uncased <so to say>."],
        }
    )


def class_report_of(labels=("no", "on")) -> Report:
    gold = [[label] for label in labels] * 3
    figures = class_figures(
        gold, gold, np.eye(len(labels))[[*range(len(labels))] * 3], labels,
        one_each=True, samples=100,
    )  # fmt: skip
    splits = {"test": {"class": figures.as_dict(), "ledger": LossLedger().as_dict()}}
    return Report.read({"schema": 1, "task": "classification", "recipe": "mine", "splits": splits})


def markdown_page(report: Report) -> str:
    return pages.markdown_page(report_page(report))


def html_page(report: Report) -> str:
    return pages.html_page(report_page(report))


def terminal_text(report: Report) -> str:
    out = StringIO()
    print_report(report, Console(file=out, width=200))
    return out.getvalue()


class Cells(HTMLParser):
    """Collect the text of every table cell and of all, as a browser shows it; count elements."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.text = ""
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data):
        self.text += data
        if self.cells:
            self.cells[-1] += data


def parsed(page: str) -> Cells:
    cells = Cells()
    cells.feed(page)
    return cells


REPORTS = pytest.mark.parametrize(
    "report", [ner_report(), class_report_of()], ids=["ner", "classes"]
)


@REPORTS
def test_a_report_is_read_as_it_was_written(report):
    written = json.loads(json.dumps(report.metrics))
    again = Report.read(written)
    assert again.metrics == written
    assert again == report


@pytest.mark.parametrize(
    "damage",
    [
        lambda metrics: metrics.pop("splits"),
        lambda metrics: metrics.update(task="parsing"),
        lambda metrics: metrics["splits"]["test"].pop("entity"),
        lambda metrics: metrics["splits"]["test"]["entity"]["overall"].update(f1="x"),
        lambda metrics: metrics["splits"]["test"]["ledger"].update(unheard_of=1),
        lambda metrics: metrics.update(splits=[1]),
    ],
)
def test_metrics_that_are_no_report_end_in_one_message(damage, tmp_path):
    metrics = json.loads(json.dumps(ner_report().metrics))
    damage(metrics)
    for name in ("recipe.yaml", "environment.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(UserError, match=r"metrics\.json is damaged, or of another version"):
        read_report(tmp_path)


def html_text(report: Report) -> str:
    return parsed(html_page(report)).text


@pytest.mark.parametrize("write", [markdown_page, html_text, terminal_text])
@REPORTS
def test_every_page_says_the_headline_of_every_split(write, report):
    page = write(report)
    for split in shown_splits(report):
        assert split.headline in page


def test_the_headline_has_the_figure_and_its_interval():
    report = ner_report()
    overall = report.metrics["splits"]["test"]["entity"]["overall"]
    low, high = overall["f1_ci95"]
    assert shown_splits(report)[-1].headline == (
        f"test entity F1 0.6667 (95 % interval {low:.4f} to {high:.4f})"
    )
    assert shown_splits(class_report_of())[-1].headline.startswith("test macro F1 1.0000 (95 %")


@pytest.mark.parametrize("write", [markdown_page, html_page, terminal_text])
def test_the_tag_table_says_that_it_is_not_the_conll_figure(write):
    assert "NOT the CoNLL figure" in write(ner_report())
    assert "CoNLL" not in write(class_report_of())


def test_markdown_rows_have_as_many_cells_as_their_header():
    page = markdown_page(ner_report(types=NASTY))
    width = 0
    for line in page.splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line))
        width = width or cells
        assert cells == width, line


@pytest.mark.parametrize("report", [ner_report(types=NASTY), class_report_of(NASTY)])
def test_markdown_escapes_what_would_break_a_table_or_become_html(report):
    page = markdown_page(report)
    assert "a\\|b" in page
    assert "<script>" not in page
    assert "&lt;script>" in page
    assert "R&amp;D" in page
    assert "two lines" in page


@pytest.mark.parametrize("report", [ner_report(types=NASTY), class_report_of(NASTY)])
def test_html_shows_labels_as_they_are(report):
    page = parsed(html_page(report))
    assert page.tags["script"] == 1  # the page's own
    for label in NASTY:
        assert any(cell.strip() in (label, f"B-{label}") for cell in page.cells), label


def test_html_escapes_notes():
    assert "&lt;so to say&gt;" in html_page(ner_report())


@pytest.mark.parametrize("report", [ner_report(types=NASTY), class_report_of(NASTY)])
def test_the_terminal_shows_labels_as_they_are(report):
    text = terminal_text(report)
    for label in ("a|b", "[red]", "[/bold]", "<script>"):
        assert label in text


def test_pages_show_the_ledger_training_and_notes():
    for page in (markdown_page(ner_report()), html_page(ner_report())):
        assert "1,234" in page
        assert "10,000" in page
        assert "uncased" in page


def test_the_ledger_says_whether_something_was_lost():
    ledgers = LossLedger(words=5), LossLedger(words=5, words_truncated=2)
    whole, lossy = (shown_splits(ner_report(ledger=led))[-1].tables[-1] for led in ledgers)
    assert whole.note == "Nothing was lost."
    assert lossy.note != whole.note
    assert ("words not read in full", "2") in lossy.rows


def test_figures_are_fractions_with_four_digits():
    for table in shown_splits(ner_report())[-1].tables[:-1]:
        for row in table.rows:
            assert all(re.fullmatch(r"[01]\.\d{4}", cell) for cell in row[1:4] if cell)


class Boxes(HTMLParser):
    """Note in which classes of elements each table stands."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.of_tables: list[list[str | None]] = []
        self._open: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.of_tables.append([name for _, name in self._open])
        if tag not in ("meta", "link", "br", "wbr"):
            self._open.append((tag, dict(attrs).get("class")))

    def handle_endtag(self, tag):
        while self._open.pop()[0] != tag:
            pass


@pytest.mark.parametrize("report", [ner_report(), class_report_of(["x" * 200, "y"])])
def test_a_narrow_page_scrolls_a_table_in_its_own_box_never_itself(report):
    page = html_page(report)
    boxes = Boxes(page).of_tables
    assert len(boxes) == page.count("<table") >= 2
    assert all("wide" in box for box in boxes)
    screen = page.partition("@media (max-width")[0]
    rules = dict(re.findall(r"^([\w.-]+) \{([^}]*)\}", screen, re.MULTILINE))
    assert "overflow-x: auto" in rules[".wide"]
    assert "overflow-wrap: anywhere" in rules["body"]  # long names outside of tables
    assert not re.search(r"(?<!max-)(?<!min-)\bwidth: *\d+(px|rem)", page)
    assert '<meta name="viewport" content="width=device-width' in page


def test_every_page_doubts_an_interval_from_few_examples():
    report = ner_report()
    said = "test: the interval is from 4 examples only (fewer than 30): it says little."
    for page in (terminal_text(report), markdown_page(report), html_page(report)):
        assert said in " ".join(page.split())
    report = ner_report(ledger=LossLedger(sentences=400))
    assert "it says little" not in terminal_text(report)
