"""What Python users see: lines while it runs, a bar in notebooks, reports that show themselves."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

from nlp_transfer import Report, finetune, load_recipe

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]


@pytest.fixture
def plain_logging() -> Iterator[Callable[[], logging.Logger]]:
    """Return a function that makes logging as new, and gives the package's logger.

    Not done here already: pytest adds handlers of its own between fixtures and test.
    """
    own, root = logging.getLogger("nlp_transfer"), logging.getLogger()
    before = (own.handlers[:], own.level, own.propagate, root.handlers[:])

    def make() -> logging.Logger:
        own.handlers.clear()
        own.setLevel(logging.NOTSET)
        own.propagate = True
        root.handlers.clear()
        return own

    yield make
    own.handlers[:], level, own.propagate, root.handlers[:] = before
    own.setLevel(level)


def test_finetune_in_a_script_shows_its_lines_and_leaves_logging_as_it_was(
    plain_logging: Callable[[], logging.Logger],
    tiny_recipe: Recipes,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    recipe = load_recipe(str(tiny_recipe()))
    capfd.readouterr()  # what making the checkpoint wrote
    own = plain_logging()
    finetune(recipe, output=tmp_path / "run")
    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[0].startswith("tiny: fine-tunes ")
    assert [line[:9] for line in lines if line.startswith("epoch")] == ["epoch 1/2", "epoch 2/2"]
    assert own.handlers == []
    assert (own.level, own.propagate) == (logging.NOTSET, True)


@pytest.mark.parametrize("of_all", [True, False])
def test_logging_that_the_user_has_set_up_is_left_alone(
    of_all: bool,
    plain_logging: Callable[[], logging.Logger],
    tiny_recipe: Recipes,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    records: list[logging.LogRecord] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    own = plain_logging()
    if of_all:
        logging.getLogger().addHandler(Kept())
    else:
        own.setLevel(logging.WARNING)
    finetune(load_recipe(str(tiny_recipe(training={"epochs": 1}))), output=tmp_path / "run")
    assert capfd.readouterr().err == ""
    assert all(record.levelno >= logging.WARNING for record in records)


def test_notebook_has_a_bar_and_lines_though_it_brings_handlers_of_its_own(
    plain_logging: Callable[[], logging.Logger],
    tiny_recipe: Recipes,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain_logging()
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    logging.getLogger().addHandler(logging.StreamHandler())
    finetune(load_recipe(str(tiny_recipe(training={"epochs": 1}))), output=tmp_path / "run")
    err = capfd.readouterr().err
    assert err.count("epoch 1/1") == 1
    assert "training: 100%" in err


def test_report_shows_its_headlines_and_not_the_whole_dict() -> None:
    row = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 4, "f1_ci95": [0.4, 0.6]}
    figures = {"entity": {"overall": row, "per_type": {"<b>": row}}, "partial_credit": {}}
    figures |= {"token": {"per_tag": {}, "accuracy": 0.9}, "ledger": {"sentences": 4}}
    report = Report({"recipe": "mine", "splits": {"test": figures}, "notes": ["uncased"]})
    assert repr(report) == (
        "<Report of mine: test entity F1 0.5000 (95 % interval 0.4000 to 0.6000); 1 note>"
    )
    assert repr(Report({})) == "<Report of None: no splits>"


def test_report_of_a_run_is_a_page_below_the_cell(tiny_recipe: Recipes, tmp_path: Path) -> None:
    report = finetune(load_recipe(str(tiny_recipe(training={"epochs": 1}))), output=tmp_path / "r")
    assert len(repr(report)) < 300
    page = report._repr_html_()
    assert "<style" not in page  # it would change the whole notebook
    assert "<html" not in page
    assert "test entity F1" in page
    assert page.count("<details") == page.count("</details>") >= 4
    assert page.count("<details open") == 1
    HTMLParser().feed(page)
