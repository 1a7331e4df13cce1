"""The page that runs, comparisons and studies share: as HTML, and (slow) in a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from nlp_transfer.report import browser
from nlp_transfer.report.page import Page, Section
from nlp_transfer.report.pages import html_page, markdown_page
from nlp_transfer.shown import (
    Answer,
    Bar,
    BarChart,
    Example,
    Examples,
    Grid,
    LineChart,
    Mark,
    Series,
    Table,
)

SCRIPT = "<script>alert(1)</script>"
VOID = {"meta", "input", "br", "link", "img", "hr", "wbr"}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def of_two(number: int, text: str, gold: tuple[Mark, ...], found: tuple[Mark, ...], **more: Any):
    answers = (Answer("gold", gold), Answer("predicted", found))
    return Example(number, text, answers, **more)


HEBREW = "מרים פרץ גרה בירושלים"
EXAMPLES = (
    of_two(1, "Ada met Bob", (Mark("PER", 0, 3), Mark("PER", 8, 11)),
           (Mark("PER", 0, 3, 0.95), Mark("PER", 8, 11, 0.5)), types=("PER",),
           slices=("length: short",), where="test.conll:1"),
    of_two(2, f"{SCRIPT} in Rome", (Mark("LOC", 29, 33),), (), kinds=("missed",), types=("LOC",),
           slices=("length: short",)),
    of_two(3, "😀😀 Ada</script><!-- Rome", (Mark("PER", 3, 6),), (Mark("a/b\"c'<i>", 3, 6, 0.25),),
           kinds=("wrong type",), types=("PER", "a/b\"c'<i>")),
    of_two(4, HEBREW, (Mark("PER", 0, 8),), (Mark("PER", 0, 4, 0.7),), kinds=("wrong borders",),
           types=("PER",), slices=("length: short",)),
    of_two(5, "turned \u202e round\x1b[2J\u2028 and half \ud83d", (), (), slices=("length: long",)),
    Example(6, "where is my parcel",
            (Answer("gold", labels=(("-", None),)), Answer("predicted", labels=(("*", 0.5),))),
            kinds=("wrong label",), types=("*", "-")),
)  # fmt: skip

TABLE = Table(
    "Entities",
    ("type", "F1", "support"),
    (("LOC", "0.9100", "1,234"), ("<b>ORG</b>", "0.0900", "99"), ("PER", "0.8000 ± 0.01", "")),
    "Strict.",
)
BLOCKS = (
    TABLE,
    LineChart("Curve", "steps", "F1", (Series("a", ((1, 0.5), (2, 0.75))),)),
    BarChart("Slices", "F1", (Bar("long", 0.5, (0.25, 0.75), 30),)),
    Grid("Confusion", ("a", "b"), ("a", "b"), ((5, 1), (0, 7))),
)


def page_of(*blocks: Any, title: str = "my run") -> Page:
    return Page(
        title,
        ("test entity F1 0.6667 (95 % interval 0.5000 to 0.8000)", "another: 3"),
        f"Right {SCRIPT} mostly.",
        ("few examples",),
        (Section("First", blocks), Section("Second <b>", (TABLE,))),
    )


class Parsed(HTMLParser):
    """Collect what a page consists of; elements must be closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page, self.open = page, [""]
        self.attributes: list[tuple[str, str, str | None]] = []
        self.inline: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(page)
        assert self.open == [""]

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag in self.inline:
            self.inline[tag].append("")

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        if self.open[-1] in self.inline:
            self.inline[self.open[-1]][-1] += data

    def values(self, wanted: str) -> list[str]:
        return [value or "" for _, name, value in self.attributes if name == wanted]


FULL = html_page(page_of(*BLOCKS, Examples("Examples", EXAMPLES)))


def test_html_is_well_formed_and_every_id_is_there_once():
    page = Parsed(FULL)
    ids = page.values("id")
    assert len(ids) == len(set(ids)) > 10
    links = page.values("href")
    assert links
    assert {link.removeprefix("#") for link in links} <= set(ids)
    for told in page.values("aria-labelledby"):
        assert set(told.split()) <= set(ids)


def test_page_loads_nothing_and_may_run_its_own_script_only():
    page = Parsed(FULL)
    assert not [a for a in page.attributes if a[1] in ("src", "srcset", "style", "background")]
    assert not [a for a in page.attributes if a[1].startswith("on")]
    assert not {tag for tag, *_ in page.attributes} & {"link", "img", "iframe", "object", "base"}
    assert not re.search(r"url\(|@import|https?:", "".join(page.inline["style"]))
    (policy,) = (value for value in page.values("content") if value and "default-src" in value)
    assert policy.startswith("default-src 'none'; ")
    data, script = page.inline["script"]
    json.loads(data)
    for kind, text in (("script", script), ("style", page.inline["style"][0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_texts_of_others_stay_text():
    page = Parsed(FULL)
    assert not {tag for tag, *_ in page.attributes} & {"b", "i"}
    assert FULL.count("<script") == 2  # the data, and the page's own
    assert SCRIPT not in FULL
    assert not re.search("[\u202e\u2028\x1b\ud800-\udfff]", FULL)
    FULL.encode("utf-8")


def test_the_script_comes_only_with_what_it_is_for():
    page = html_page(page_of(TABLE))
    assert "application/json" not in page
    assert "drawExample" not in page
    assert "drawExample" in FULL


def test_data_of_examples_says_all_that_they_hold():
    data = json.loads(Parsed(FULL).inline["script"][0])
    names = data["names"]
    assert [row[0] for row in data["rows"]] == [1, 2, 3, 4, 5, 6]
    assert [row[1] for row in data["rows"]] == [example.text for example in EXAMPLES]
    number, _, answers, kinds, types, slices, where = data["rows"][0]
    assert (number, kinds) == (1, [])
    assert answers == [
        [names.index("gold"), [names.index("PER"), 0, 3, -1, names.index("PER"), 8, 11, -1], []],
        [
            names.index("predicted"),
            [names.index("PER"), 0, 3, 950, names.index("PER"), 8, 11, 500],
            [],
        ],
    ]
    assert [names[at] for at in (*types, *slices)] == ["PER", "length: short"]
    assert where == [names.index("test.conll"), 1]
    assert data["rows"][5][2][1] == [names.index("predicted"), [], [names.index("*"), 500]]


def test_a_page_that_would_be_too_large_keeps_what_has_mistakes(monkeypatch):
    monkeypatch.setattr(browser, "MOST_BYTES", 5_000)
    right = [of_two(number, "all is right here", (), ()) for number in range(1, 201)]
    wrong = [of_two(number, "here not", (), (), kinds=("missed",)) for number in range(201, 211)]
    page = html_page(page_of(Examples("Examples", (*right, *wrong))))
    rows = json.loads(Parsed(page).inline["script"][0])["rows"]
    assert {row[0] for row in rows} >= set(range(201, 211))
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert 20 < len(rows) < 210
    assert f"{210 - len(rows)} more would make this page too large" in page


def test_markdown_has_charts_as_tables_and_no_examples():
    page = markdown_page(page_of(*BLOCKS, Examples("All sentences", EXAMPLES)))
    assert "| 2 | 0.75 |" in page
    assert "| long | 0.5 | 0.25 to 0.75 | 30 |" in page
    assert "| a | b | 1 |" in page
    assert "All sentences" not in page
    assert "<svg" not in page
    assert "> few examples" in page


def test_a_long_curve_is_told_in_words_where_it_is_not_drawn():
    points = tuple((float(step), 1 / step) for step in range(1, 101))
    page = markdown_page(page_of(LineChart("Curve", "step", "loss", (Series("mine", points),))))
    assert "loss by step. mine: 100 points from 0.01 to 1." in page
    assert "| 50 |" not in page


def test_a_page_of_nothing_is_a_page():
    empty = Page("nothing", (), "", (), ())
    Parsed(html_page(empty))
    assert markdown_page(empty).strip() == "# nothing"


# --- in a browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Start a browser without a window."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("there is no chromium here")
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=CHROMIUM)


class Shown:
    """A page in a browser, and what it complained about."""

    def __init__(self, tab: Any, address: str) -> None:
        self.tab, self.address = tab, address
        self.complaints: list[str] = []
        self.requests: list[str] = []
        tab.on("console", lambda message: self.complaints.append(message.text))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.goto(address)

    def numbers(self) -> list[str]:
        return self.tab.locator(".example .link").all_text_contents()

    def current(self) -> str | None:
        found = self.tab.locator(".example[aria-current]")
        return found.get_attribute("id") if found.count() else None

    def choose(self, name: str, option: str) -> None:
        options = self.tab.locator(f"select[name={name}] option").all_text_contents()
        (label,) = (text for text in options if text.startswith(option))
        self.tab.locator(f"select[name={name}]").select_option(label=label)

    def hash(self) -> str:
        return self.tab.evaluate("location.hash")


@pytest.fixture
def shown(chromium: Any, tmp_path: Path) -> Iterator[Any]:
    """Return a function that opens a page; at the end nothing may have gone wrong in any."""
    opened: list[Shown] = []

    def show(page: str, *, fragment: str = "", **settings: Any) -> Shown:
        path = tmp_path / "page.html"
        path.write_text(page, "utf-8")
        tab = chromium.new_page(**settings)
        opened.append(Shown(tab, f"{path.as_uri()}{fragment}"))
        return opened[-1]

    yield show
    for each in opened:
        each.tab.close()
        assert each.complaints == []
        assert {request.partition("#")[0] for request in each.requests} <= {
            each.address.partition("#")[0]
        }


slow = pytest.mark.slow


@slow
def test_tables_are_sorted_by_click_and_key(shown):
    page = shown(FULL)
    table = page.tab.locator("table").first

    def column(number: int) -> list[str]:
        return table.locator(f"tbody td:nth-child({number})").all_text_contents()

    support = table.get_by_role("button", name="support")
    support.click()
    assert column(3) == ["1,234", "99", ""]
    support.focus()
    page.tab.keyboard.press("Enter")
    assert column(3) == ["99", "1,234", ""]  # empty ones stay last
    assert table.locator("th[aria-sort=ascending]").inner_text().startswith("support")
    page.tab.keyboard.press("Enter")
    assert column(1) == ["LOC", "<b>ORG</b>", "PER"]
    assert table.locator("th[aria-sort]").count() == 0
    table.get_by_role("button", name="F1").click()
    assert column(1) == ["LOC", "PER", "<b>ORG</b>"]
    table.get_by_role("button", name="type").click()
    assert column(1) == ["<b>ORG</b>", "LOC", "PER"]


@slow
def test_mistakes_are_shown_first_and_filters_choose_others(shown):
    page = shown(FULL)
    assert page.numbers() == ["2", "3", "4", "6"]
    page.choose("kind", "all examples")
    assert page.numbers() == ["1", "2", "3", "4", "5", "6"]
    page.choose("kind", "all right")
    assert page.numbers() == ["1", "5"]
    page.choose("kind", "missed")
    assert page.numbers() == ["2"]
    page.choose("kind", "all examples")
    page.choose("type", "PER")
    assert page.numbers() == ["1", "3", "4"]
    page.choose("slice", "length: short")
    assert page.numbers() == ["1", "4"]
    page.tab.locator("input[name=q]").fill("ADA")
    assert page.numbers() == ["1"]
    assert page.tab.locator(".found").inner_text() == "1 of 6 examples"
    page.tab.locator("input[name=q]").fill("no such words")
    assert page.numbers() == []
    assert "None of 6" in page.tab.locator(".found").inner_text()


@slow
def test_labels_that_look_like_choices_are_labels(shown):
    page = shown(FULL)
    page.choose("type", "* (")
    assert page.numbers() == ["6"]
    page.choose("type", "a/b\"c'<i>")
    assert page.numbers() == ["3"]


@slow
def test_entities_stand_at_their_words_gold_above_predicted(shown):
    page = shown(FULL)
    lines = page.tab.locator("#e3 dd")
    assert page.tab.locator("#e3 dt").all_text_contents() == ["gold", "predicted"]
    marks = page.tab.locator("#e3 mark")
    assert marks.all_text_contents() == ["AdaPER", "Adaa/b\"c'<i> 0.25"]
    assert lines.first.inner_text() == "😀😀 AdaPER</script><!-- Rome"
    assert [mark.get_attribute("class") for mark in marks.all()] == ["wrong", "wrong"]
    boxes = [line.bounding_box() for line in lines.all()]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]
    page.choose("kind", "all examples")
    assert page.tab.locator("#e1 dt").all_text_contents() == ["gold, predicted"]
    assert page.tab.locator("#e6 dd").all_text_contents() == [
        "where is my parcel", "-", "* 0.50"]  # fmt: skip


@slow
def test_a_script_in_a_text_stays_text(shown):
    page = shown(FULL)
    assert page.tab.locator("#e2 dd").first.inner_text() == f"{SCRIPT} in RomeLOC"
    assert page.tab.locator("#e2 script").count() == 0
    assert SCRIPT in page.tab.locator(".summary").inner_text()


@slow
def test_text_from_right_to_left_is_drawn_so_and_what_turns_text_is_spelled_out(shown):
    page = shown(FULL)
    line = page.tab.locator("#e4 dd").first
    assert line.evaluate("line => getComputedStyle(line).direction") == "rtl"
    assert line.locator("mark").inner_text() == "מרים פרץPER"
    mark, box = line.locator("mark").bounding_box(), line.bounding_box()
    assert mark["x"] + mark["width"] > box["x"] + box["width"] - 20  # where the line begins
    page.choose("kind", "all right")
    said = page.tab.locator("#e5 dd").first.text_content()
    assert said == "turned \\u202e round\\x1b[2J\u2028 and half \\ud83d"


@slow
def test_keys_go_through_examples_and_to_the_search(shown):
    page = shown(FULL)
    keys = page.tab.keyboard
    keys.press("j")
    assert (page.current(), page.hash()) == ("e2", "#e2")
    keys.press("j")
    keys.press("j")
    keys.press("k")
    assert page.current() == "e3"
    for _ in range(9):
        keys.press("j")
    assert page.current() == "e6"
    keys.press("/")
    keys.type("jk/")
    assert page.tab.locator("input[name=q]").input_value() == "jk/"
    keys.press("Escape")
    assert page.tab.locator("input[name=q]").input_value() == ""
    assert len(page.numbers()) == 4
    keys.press("j")
    assert page.current() == "e2"
    keys.press("Escape")
    assert page.current() is None


@slow
def test_a_link_leads_to_its_example_with_its_filters(shown):
    page = shown(FULL)
    page.choose("type", "PER")
    page.tab.locator(".link", has_text="4").click()
    assert page.current() == "e4"
    kept = page.hash()
    again = shown(FULL, fragment=kept)
    assert again.current() == "e4"
    assert again.numbers() == page.numbers() == ["3", "4"]
    right = shown(FULL, fragment="#e1")  # that the filters at first would hide
    assert right.current() == "e1"
    assert len(right.numbers()) == 6
    assert shown(FULL, fragment="#e99").current() is None
    assert shown(FULL, fragment="#e&type=%3Dnone&kind=x").numbers()
    assert shown(FULL, fragment="#s2").current() is None


@slow
def test_two_browsers_on_a_page_do_not_get_in_each_others_way(shown):
    both = html_page(page_of(Examples("Of A", EXAMPLES), Examples("Of B", EXAMPLES)))
    page = shown(both)
    page.tab.locator("#e2-3 .link").click()
    assert page.current() == "e2-3"
    page.tab.keyboard.press("j")
    assert page.current() == "e2-4"
    assert shown(both, fragment="#e2-4").current() == "e2-4"
    assert shown(both, fragment="#e4").current() == "e4"


@slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_never_scrolls_the_page_sideways_and_text_has_contrast(shown, scheme):
    page = shown(FULL, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    assert page.tab.evaluate("document.documentElement.scrollWidth") == 390
    contrasts = page.tab.evaluate(CONTRASTS)
    assert min(contrasts.values()) >= 4.5, contrasts


CONTRASTS = """() => {
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = style.getPropertyValue(name);
    const parts = getComputedStyle(probe).color.match(/\\d+/g).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    probe.remove();
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const pairs = [];
  for (const text of ["--ink", "--dim", "--accent", "--warn"]) pairs.push([text, "--paper"]);
  for (const paper of ["--right", "--wrong", "--warn-paper"]) pairs.push(["--ink", paper]);
  for (const text of ["--ink", "--dim", "--accent", "--warn"]) pairs.push([text, "--faint"]);
  return Object.fromEntries(pairs.map(([a, b]) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return [`${a} on ${b}`, (high + 0.05) / (low + 0.05)];
  }));
}"""


@slow
def test_texts_of_charts_do_not_lie_on_each_other(shown):
    points = tuple((float(number % 7), number / 20) for number in range(20))
    names = tuple(f"rate {number}e-5, epochs {number}" for number in range(20))
    labels = tuple(f"a label {number}" for number in range(60))
    charts = (
        *BLOCKS[1:],
        LineChart("Rows", "seconds", "F1", (
            Series("rows", points, names=names, joined=False),
            Series("another with a long name indeed", ((1, 0.1), (3, 0.4))),
            Series("and one more with an even longer name", ((1, 0.1), (3, 0.4))),
        )),
        LineChart("Sizes", "texts", "F1", (Series("a", ((50, 0.1), (12_800, 0.9))),), log_x=True),
        BarChart("Deltas", "B - A", (Bar("a", -0.1, (-0.2, 0.01)), Bar("b" * 99, 0.3, None, 4))),
        *(Grid("Counts", labels[:n], labels[:n], ((1234,) * n,) * n) for n in (3, 12, 30, 60)),
    )  # fmt: skip
    page = shown(html_page(page_of(*charts)))
    assert page.tab.evaluate(OVERLAPS) == []


OVERLAPS = """() => [...document.querySelectorAll("svg")].flatMap((svg) => {
  const room = svg.getBoundingClientRect();
  const all = [...svg.querySelectorAll("text")];
  const texts = all.map((each) => [each, each.getBoundingClientRect()]);
  const cut = texts.filter(([, a]) => a.left < room.left - 1 || a.right > room.right + 1
    || a.top < room.top - 1 || a.bottom > room.bottom + 1);
  const meet = texts.filter(([, a], at) => texts.slice(at + 1).some(([, b]) =>
    a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3));
  return [...cut, ...meet].map(([text]) => text.textContent);
})"""


@slow
def test_without_javascript_tables_and_charts_are_there(chromium, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(FULL, "utf-8")
    tab = chromium.new_page(java_script_enabled=False)
    tab.goto(path.as_uri())
    assert tab.locator("table").first.is_visible()
    assert tab.locator("svg[role=img]").first.is_visible()
    assert "needs JavaScript" in tab.locator("noscript").inner_text()
    assert not tab.locator("form").is_visible()
    tab.close()


@slow
def test_print_shows_all_of_a_table_and_no_controls(shown):
    rows = tuple((f"class {number}", "0.5") for number in range(150))
    page = shown(
        html_page(page_of(Table("Classes", ("class", "F1"), rows), Examples("E", EXAMPLES)))
    )
    page.tab.emulate_media(media="print")
    assert not page.tab.locator("nav").is_visible()
    assert not page.tab.locator("form").is_visible()
    box = page.tab.locator(".table .wide").first
    assert box.evaluate("box => box.scrollHeight <= box.clientHeight + 1")


def _many(count: int) -> Iterator[Example]:
    words = ("the", "council", "of", "Springfield", "met", "Mrs.", "Smith", "on", "Monday")
    for number in range(1, count + 1):
        text = " ".join(words[(number + at) % len(words)] for at in range(24)) + f" no{number}"
        gold = tuple(Mark(("PER", "LOC", "ORG")[at % 3], 10 * at, 10 * at + 8) for at in range(4))
        found = tuple(Mark(mark.label, mark.start, mark.end, 0.9) for mark in gold[number % 2 :])
        slices = (f"length: {number % 5}", f"seen: {number % 2}")
        kinds, where = ("missed",) * (number % 2), f"test.conll:{number * 26}"
        types = ("PER", "LOC", "ORG")
        yield of_two(
            number, text, gold, found, kinds=kinds, types=types, slices=slices, where=where
        )


@slow
def test_ten_thousand_examples_are_quick_to_open_and_to_filter(shown):
    page = html_page(page_of(*BLOCKS, Examples("Examples", tuple(_many(10_000)))))
    assert len(page.encode("utf-8")) < 5_000_000
    assert "too large" not in page
    opened = shown(page)
    paint = opened.tab.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    ready = opened.tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    took = opened.tab.evaluate(FILTERED)
    print(f"bytes {len(page):,}; first paint {paint:.0f} ms; ready {ready:.0f} ms; filter {took}")
    # What is promised is 1 s and 0.2 s; a busy machine of two cores is given three times that.
    assert paint < 3000
    assert max(took) < 600
    assert opened.tab.locator(".example").count() == 50
    opened.tab.locator(".more").click()
    assert opened.tab.locator(".example").count() == 100
    far = shown(page, fragment="#e9001")
    assert far.current() == "e9001"
    assert far.tab.locator(".example").count() <= 100
    far.tab.locator(".earlier").click()
    assert far.tab.locator("#e9001").count() == 1


FILTERED = """async () => {
  const took = [];
  const form = document.querySelector(".browser form");
  const choices = [["kind", ""], ["q", "n"], ["q", "no99"], ["type", "=PER"], ["q", ""]];
  for (const [name, value] of choices) {
    const start = performance.now();
    form.elements[name].value = value;
    form.elements[name].dispatchEvent(new Event("input", { bubbles: true }));
    document.body.getBoundingClientRect(); // laid out, too
    took.push(Math.round(performance.now() - start));
  }
  return took;
}"""
