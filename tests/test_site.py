"""The pages as a site, and what repositories are asked for: links, citation, workflow, hooks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

import nlp_transfer

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
MARKDOWN = [*sorted(ROOT.glob("*.md")), *PAGES, *sorted((ROOT / "tests").rglob("*.md"))]
MADE = {"index.md", "journey.md"}
"""Pages that docs/site_hooks.py makes, of README.md and of the notebook."""
NOTEBOOK = DOCS / "journey.ipynb"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

_PARSER = MarkdownIt("commonmark").enable("table")


def _yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def _tokens(page: Path) -> list[Token]:
    tokens = _PARSER.parse(page.read_text("utf-8"))
    return [each for token in tokens for each in (token, *(token.children or ()))]


def _anchors(page: Path) -> set[str]:
    """Name the headings of a page as repositories do."""
    tokens = _PARSER.parse(page.read_text("utf-8"))
    titles = [
        "".join(part.content for part in tokens[i + 1].children or ())
        for i, token in enumerate(tokens)
        if token.type == "heading_open"
    ]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _links(page: Path) -> list[str]:
    links = [str(token.attrs["href"]) for token in _tokens(page) if token.type == "link_open"]
    return [link for link in links if "://" not in link]


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path):
    for link in _links(page):
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        assert target.is_file(), f"{page.name}: {link}"
        assert not heading or heading in _anchors(target), f"{page.name}: {link}"
        if page.parent == DOCS:
            assert target.parent == DOCS, f"{link}: no page of the site; write its path as code"


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_taken_for_html_and_hidden(page: Path):
    html = [token.content for token in _tokens(page) if token.type.startswith("html")]
    assert [tag for tag in html if not tag.startswith("<!--")] == []


def _named(nav: Any) -> Iterator[str]:
    """Yield the pages of a navigation, of its parts too."""
    for entry in nav:
        (below,) = entry.values()
        yield from [below] if isinstance(below, str) else _named(below)


def test_every_page_stands_once_in_the_navigation():
    named = sorted(_named(_yaml("mkdocs.yml")["nav"]))
    assert named == sorted(MADE | {page.name for page in PAGES})


def test_the_python_page_has_every_name_that_the_package_offers():
    page = (DOCS / "api.md").read_text("utf-8")
    named = re.findall(r"^::: nlp_transfer\.(\w+)$", page, re.MULTILINE)
    assert sorted(named) == sorted(set(nlp_transfer.__all__) - {"__version__"})
    for name, members in re.findall(r"\.(\w+)\n    options:\n      members: \[(.*)\]", page):
        for member in members.split(", "):
            assert hasattr(getattr(nlp_transfer, name), member), f"{name}.{member}"


def test_the_citation_is_of_this_package():
    citation = _yaml("CITATION.cff")
    assert citation["title"] == "nlp_transfer"
    assert citation["version"] == nlp_transfer.__version__
    for ours, theirs in (("license", "license"), ("abstract", "description"), ("keywords",) * 2):
        assert citation[ours] == PROJECT[theirs]


def test_the_workflow_runs_what_is_run_everywhere_on_the_oldest_and_newest_python():
    jobs = _yaml(".github/workflows/ci.yml")["jobs"]
    runs = {
        name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()
    }
    assert runs == {"check": [".ci/run"], "site": ["make site"]}
    (ROOT / ".ci" / "run").stat()
    versions = jobs["check"]["strategy"]["matrix"]["python"]
    classified = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if ":: 3." in line]
    assert versions == [classified[0], classified[-1]]
    assert PROJECT["requires-python"] == f">={versions[0]}"


def test_hooks_before_commits_are_targets_of_the_makefile_and_fetch_nothing():
    (local,) = _yaml(".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == ["make lint", "make types"]
    assert {hook["language"] for hook in local["hooks"]} == {"system"}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"^lint: setup.*\n\t\$\(BIN\)/ruff check", makefile, re.MULTILINE)
    assert re.search(r"^types: setup.*\n\t\$\(BIN\)/mypy", makefile, re.MULTILINE)


def test_what_the_site_is_built_with_is_pinned():
    pinned = re.findall(r"^([\w-]+)==", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    wanted = [re.split(r"[\[>]", each)[0] for each in PROJECT["optional-dependencies"]["docs"]]
    assert set(wanted) <= set(pinned)


# --- the notebook


def _printed(notebook: Any) -> str:
    """Join what the cells of a notebook printed and showed as text."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output["output_type"] == "error"]
    texts = [output.get("text") or output["data"]["text/plain"] for output in outputs]
    return "\n".join("".join(text) for text in texts)


FIGURES = (
    r"^train +545 sentences ",
    r"^epoch 5/5  loss 0\.\d+  validation entity F1 0\.\d{4} ",
    r"test entity F1 0\.\d{4} \(95 % interval 0\.\d{4} to 0\.\d{4}\)",
    r"'f1': 0\.\d+",
    r"^PER +Ada Lovelace +0\.\d\d$",
    r"^B is better: \+\d+\.\d entity F1, 95 % ",
    r"^as it was written: True$",
)


def test_the_notebook_shows_what_it_printed_and_nothing_of_where_it_ran():
    assert NOTEBOOK.stat().st_size < 300_000
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    printed = _printed(notebook)
    for figure in FIGURES:
        assert re.search(figure, printed, re.MULTILINE), figure
    assert not re.search(
        r"(?<![\w/.<])/(?:home|tmp|root|work|usr|opt|private|Users)/", json.dumps(notebook)
    )


@pytest.mark.slow
def test_the_notebook_runs_and_prints_such_figures_again():
    pytest.importorskip("ipykernel")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("nbclient")
    from journey import executed

    printed = _printed(executed(nbformat.read(NOTEBOOK, as_version=4)))
    for figure in FIGURES:
        assert re.search(figure, printed, re.MULTILINE), figure


# --- the site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; a link that leads nowhere fails it."""
    for module in ("mkdocs", "material", "mkdocstrings", "nbformat"):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


MARKS = ("h1", "h2", "h3", "h4", "li", "table", "tr", "td", "pre", "code", "em", "strong", "p")


def _marks(html: str) -> Counter[str]:
    return Counter(mark for mark in re.findall(r"<(\w+)[ >]", html) if mark in MARKS)


@pytest.mark.slow
def test_a_page_is_on_the_site_what_it_is_in_the_repository(site: Path):
    """The two readers of Markdown differ in lists, tables and escapes: no page may need either."""
    here = {page.stem: page for page in PAGES} | {"index": ROOT / "README.md"}
    del here["api"]
    for name, page in here.items():
        html = (site / f"{name}.html").read_text("utf-8")
        article = html[html.index("<article") : html.index("</article>")]
        assert _marks(article) == _marks(_PARSER.render(page.read_text("utf-8"))), name


@pytest.mark.slow
def test_the_python_page_shows_signatures_and_what_is_said_of_them(site: Path):
    page = (site / "api.html").read_text("utf-8")
    for name in set(nlp_transfer.__all__) - {"__version__"}:
        assert f'id="nlp_transfer.{name}"' in page
    assert "<li><code>push_to_hub</code>: publish the finished run" in re.sub(r"</?p>|\n", "", page)
    assert "blockquote" not in page  # what an example in a docstring is to Markdown


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1400])
def test_no_page_is_wider_than_the_screen_or_fetches_from_elsewhere(site: Path, width: int):
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("there is no chromium here")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM)
        tab = browser.new_page(viewport={"width": width, "height": 900})
        fetched: list[str] = []
        tab.on("request", lambda request: fetched.append(request.url))
        for page in sorted(site.glob("*.html")):
            tab.goto(page.as_uri())
            tab.wait_for_load_state("networkidle")
            wide = tab.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, page.name
    assert [url for url in fetched if not url.startswith(("file:", "data:", "blob:"))] == []
