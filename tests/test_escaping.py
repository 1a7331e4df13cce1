"""Names and texts of other people in pages and records: shown as they are, never obeyed."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from nlp_transfer import load_recipe
from nlp_transfer.doctor.finding import Example, Finding
from nlp_transfer.doctor.summary import Lengths, Summary
from nlp_transfer.publish.card import card_text
from nlp_transfer.report.inspection import Inspection
from nlp_transfer.report.inspection import markdown_page as inspection_page
from nlp_transfer.secrets import mask_command_line
from nlp_transfer.tasks import task_named
from tests.test_report import (
    class_report_of,
    html_page,
    markdown_page,
    ner_report,
    terminal_text,
)

NASTY = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a|b", "a\\|b", "|", "`tick`",
    "```", "two\nlines", "{{ 7 * 7 }}", "{% include 'x' %}", "---\nlicense: evil\n---",
    "[link](https://example.org)", "![i](https://example.org/i.png)", "[ref]: https://example.org",
    "<https://example.org>", "javascript:alert(1)", "*bold*", "_under_", "work_of_art", "~~gone~~",
    "# heading", "- item", "+ item", "1. item", "2) item", "> quote", "=====", "-----", "R&D",
    "&lt;b&gt;", "[bold red]", "\x1b[2J", "\u202eright to left", "</td></table>", "'", '"', "\\",
    "-0.5", "$x$", "<!-- hidden", "a & b < c", "__init__",
)  # fmt: skip


def as_shown(name: str) -> str:
    """Return a name on one line, as a page is to show it."""
    line = " ".join(name.split())
    return re.sub("[\x1b\u202e]", lambda c: c[0].encode("unicode_escape").decode(), line)


FORBIDDEN = {"script", "img", "hr", "em", "ol", "del", "iframe", "b"}


class Page(HTMLParser):
    """Collect tags, links, the text of cells and of code, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.places: dict[str, list[str]] = {"td": [], "code": []}
        self.text = ""
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self._open.append(tag)
        if tag in self.places:
            self.places[tag].append("")

    def handle_endtag(self, tag):
        if tag in self._open:
            self._open.remove(tag)

    def handle_data(self, data):
        self.text += data
        for tag in set(self._open) & set(self.places):
            self.places[tag][-1] += data


def rendered(markdown: str) -> Page:
    # html=True: a reader that lets tags through, as many do.
    return Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))


REPORTS = pytest.mark.parametrize(
    "report", [ner_report(types=NASTY), class_report_of(NASTY)], ids=["ner", "classes"]
)
PAGE_TAGS = {"h1", "h2", "h3", "p", "strong", "blockquote", "table", "thead", "tbody", "tr", "th",
             "td", "ul", "li"}  # fmt: skip


@REPORTS
def test_markdown_shows_every_name_as_it_is(report):
    page = rendered(markdown_page(report))
    assert page.tags <= PAGE_TAGS
    cells = {cell.removeprefix("B-") for cell in page.places["td"]}
    assert {as_shown(name) for name in NASTY} <= cells


@REPORTS
def test_html_shows_every_name_as_it_is(report):
    page = Page(html_page(report))
    assert not page.tags & {"img", "b", "code", "iframe", "link"}
    assert page.text.count("alert(1)") >= 2
    cells = {as_shown(cell).removeprefix("B-") for cell in page.places["td"]}
    assert {as_shown(name) for name in NASTY} <= cells


def test_the_terminal_gets_no_control_characters():
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", terminal_text(class_report_of(NASTY)))


def card_of(tmp_path, *overrides: str, labels=NASTY) -> str:
    path = tmp_path / "r.yaml"
    path.write_text(
        "{name: c, task: {name: classification}, data: {source: me/texts}, strategies: [{name:"
        " full}], model: {checkpoint: samples/minilm}}"
    )
    return card_text(load_recipe(str(path), overrides), class_report_of(labels), list(labels))


def test_a_card_shows_labels_as_they_are(tmp_path):
    card = ModelCard(card_of(tmp_path))
    page = rendered(card.text)
    assert {as_shown(name) for name in NASTY} <= set(page.places["code"])
    assert {as_shown(name) for name in NASTY} <= set(page.places["td"])
    assert not page.tags & FORBIDDEN
    assert "<script" not in card.text


@pytest.mark.parametrize("name", NASTY)
def test_a_card_shows_what_a_recipe_says_as_it_is(tmp_path, name):
    folder = re.sub(r"[/\\]", "_", name)
    values = {
        "description": name,
        "data.source": f"/data/{folder}",
        "data.config": name,
        "model.checkpoint": f"/data/{folder}",
    }
    given = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    card = ModelCard(card_of(tmp_path, *given, labels=("a", "b")))
    assert card.data.model_name == "c"
    assert card.data.license is None
    page = rendered(card.text)
    assert page.places["code"].count(as_shown(folder)) >= 3
    assert page.text.count(as_shown(name)) >= 2
    assert not page.tags & FORBIDDEN


def test_an_inspection_shows_texts_and_file_names_as_they_are():
    lengths = {"words": Lengths(1, 1, 1)}
    summary = Summary(1, 1, 0, 0, dict.fromkeys(NASTY, 1), lengths, losses={})
    findings = tuple(
        Finding("x", "info", name, name, split="test", examples=(Example(name, name),))
        for name in NASTY
    )
    result = Inspection(task_named("classification"), {"test": summary}, findings)
    page = rendered(inspection_page(result))
    assert page.tags == {"h1", "h2", "h3", "p", "strong", "table", "thead", "tbody", "tr", "th",
                         "td", "ul", "li", "code"}  # fmt: skip
    assert {as_shown(name) for name in NASTY} <= set(page.places["code"])
    assert {as_shown(name) for name in NASTY} <= set(page.places["td"])


SECRETS = [
    ("training.x=hf_abcdefgh12345", "training.x=hf_***"),
    ("--header=Authorization: Bearer abc.def-123", "--header=Authorization: ***"),
    ("Bearer abcdef123456", "Bearer ***"),
    ("https://user:pw@host/data.csv", "https://***@host/data.csv"),
    ("https://user:p@ss@host/x", "https://***@host/x"),
    ("https://ghp_abcdefgh12345678@github.com/o/r.git", "https://***@github.com/o/r.git"),
    ("postgresql://me:secret@db:5432/x", "postgresql://***@db:5432/x"),
    ("https://host/x.csv?token=abc&split=test", "https://host/x.csv?token=***&split=test"),
    ("https://host/x?X-Amz-Signature=0f1e&n=1", "https://host/x?X-Amz-Signature=***&n=1"),
    ("api_key=0123456789", "api_key=***"),
    ("OPENAI_API_KEY=sk-proj-abcdefgh", "OPENAI_API_KEY=***"),
    ("sk-proj-abcdefgh12345", "sk-***"),
    ("ghp_abcdefghijklmnop", "ghp_***"),
    ("github_pat_11ABCDEFG_abcdefg", "github_pat_***"),
    ("AKIAIOSFODNN7EXAMPLE", "AKIA***"),
    ("password=two words", "password=***"),
    ("training.arguments={hub_token: abc, n: 2}", "training.arguments={hub_token: ***, n: 2}"),
    ('{"password": "a, b", "n": 1}', '{"password": ***, "n": 1}'),
    ("data.key=abc", "data.key=***"),
]
HARMLESS = [
    "data.columns.tokens=2", "training.tokens_per_batch=512", "data.columns={text: key, id: token}",
    "model.checkpoint=org/task-averse-sk-model", "data.revision=0123456789abcdef0123456789abcdef",
    "user@example.com", "git@github.com:o/r.git", "https://host/a@2x.csv", "monkey=4", "hotkeys=3",
    "x.pad_token=[PAD]",
]  # fmt: skip


@pytest.mark.parametrize(("given", "kept"), SECRETS)
def test_a_secret_on_the_command_line_is_masked(given, kept):
    assert mask_command_line(["nlpt", given]) == ["nlpt", kept]


@pytest.mark.parametrize("option", ["--token", "--hub-token", "--password", "--api-key", "-key"])
def test_what_follows_a_secret_option_is_masked(option):
    assert mask_command_line([option, "abc", "data.header=true"]) == [
        option, "***", "data.header=true"]  # fmt: skip


def test_other_arguments_are_kept():
    assert mask_command_line(HARMLESS) == HARMLESS


TOKEN = "hf_" + "Ab1" * 11


def test_a_run_keeps_no_secret_and_is_found_again(nlpt, tiny_recipe, tmp_path):
    told = f"description=from https://me:hunter2@example.org/x with {TOKEN}"
    command = ("finetune", "--recipe", tiny_recipe("ner"), told, "--output", "run")
    assert nlpt(*command)[0] == 0
    run = tmp_path / "here" / "run"
    kept = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert "example.org" in (run / "recipe.yaml").read_text("utf-8")
    for path, content in kept.items():
        assert b"hunter2" not in content, path
        assert TOKEN.encode() not in content, path
    assert "finished" in nlpt(*command)[2]
    assert nlpt("finetune", "--recipe", "run", "--output", "run")[0] == 0
