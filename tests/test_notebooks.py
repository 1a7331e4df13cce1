"""What Python users see: lines while it runs, a bar in notebooks, reports that show themselves."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tiny import write_recipe

from nlp_transfer import Predictor, Report, UserError, finetune, load_recipe
from nlp_transfer.flows.report import read_report

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
    assert "training 100 % |" in err


def test_report_shows_its_headlines_and_not_the_whole_dict() -> None:
    row = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 4, "f1_ci95": [0.4, 0.6]}
    averages = dict.fromkeys(("micro", "macro", "weighted"), row)
    figures = {"entity": {"overall": row, "per_type": {"<b>": row}}, "partial_credit": {}}
    figures |= {"token": {"per_tag": {}, **averages, "accuracy": 0.9}, "ledger": {"sentences": 4}}
    metrics = {"task": "ner", "recipe": "mine", "splits": {"test": figures}, "notes": ["uncased"]}
    assert repr(Report.read(metrics)) == (
        "<Report of mine: test entity F1 0.5000 (95 % interval 0.4000 to 0.6000); 1 note>"
    )
    nothing = Report.read({"task": "ner", "recipe": "mine", "splits": {}})
    assert repr(nothing) == "<Report of mine: no splits>"


def test_report_of_a_run_is_a_page_below_the_cell(trained_ner: Path) -> None:
    report = read_report(trained_ner)
    assert len(repr(report)) < 300
    page = report._repr_html_()
    assert "<style" not in page  # it would change the whole notebook
    assert "<html" not in page
    assert "test entity F1" in page
    assert page.count("<details") == page.count("</details>") >= 4
    assert page.count("<details open") == 1
    HTMLParser().feed(page)


@pytest.fixture(scope="module")
def predictors(
    tmp_path_factory: pytest.TempPathFactory,
    data_folder: Callable[[str], Path],
    checkpoint: Callable[..., Path],
    trained: Recipes,
) -> dict[str, Predictor]:
    """Return a Predictor of each task."""
    found = {}
    for task in ("ner", "classification"):
        recipe = write_recipe(
            tmp_path_factory.mktemp(task) / "mine.yaml",
            task=task,
            data=data_folder(task),
            checkpoint=checkpoint("bert"),
            strategy="full",
            training={"epochs": 1},
        )
        found[task] = Predictor.from_run(trained(recipe))
    return found


def test_lists_of_words_are_read_as_they_are(predictors: dict[str, Predictor]) -> None:
    words = ["Ada", "Lovelace-Byron", "left"]
    bare, named = predictors["ner"]([words, {"tokens": words}])
    assert bare == named
    assert bare["tokens"] == words
    assert len(bare["tags"]) == 3
    (nothing,) = predictors["ner"]([[]])
    assert nothing["tags"] == []


@pytest.mark.parametrize("task", ["ner", "classification"])
@pytest.mark.parametrize(
    "item",
    [5, None, 1.5, float("nan"), b"text", [1, 2], {}, {"text": 5}, {"body": "Ada"}, object()],
)
def test_item_that_is_no_text_is_named_by_its_number(
    task: str, item: Any, predictors: dict[str, Predictor]
) -> None:
    with pytest.raises(UserError, match="item 2"):
        list(predictors[task](["Ada left", item]))


def test_list_of_words_is_no_text_to_classify(predictors: dict[str, Predictor]) -> None:
    with pytest.raises(UserError, match=r"item 1: expected a text.*found \['a', 'b'\]"):
        list(predictors["classification"]([["a", "b"]]))


@pytest.mark.parametrize("items", ["Ada left Rome", b"Ada", {"text": "Ada"}, None, 5])
def test_one_item_in_place_of_a_list_is_refused_at_once(
    items: Any, predictors: dict[str, Predictor]
) -> None:
    with pytest.raises(TypeError, match=r"predictor\(\[text\]\)"):
        predictors["ner"](items)


def test_results_come_one_by_one_and_say_so(predictors: dict[str, Predictor]) -> None:
    results = predictors["classification"](["very kind people", "wrong price"])
    with pytest.raises(TypeError, match=r"list\(predictor\(texts\)\)\[0\]"):
        results[0]
    assert next(results)["text"] == "very kind people"
    assert [result["text"] for result in results] == ["wrong price"]
