"""The page of a run: what it says in words, how the model learned, and in which order."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from nlp_transfer.records import LossLedger, Repeats
from nlp_transfer.report.report import Report
from nlp_transfer.report.report_page import report_page
from nlp_transfer.report.training_curve import training_charts
from nlp_transfer.shown import Example, Examples, Table
from nlp_transfer.tasks.analysis import Analysis, ConfusedPair
from tests.test_report import class_report_of, ner_report


def with_parts(report: Report, **parts) -> Report:
    name, split = list(report.splits.items())[-1]
    return replace(report, splits={**report.splits, name: replace(split, **parts)})


def test_the_summary_says_what_is_right_how_sure_that_is_and_what_is_confused() -> None:
    pairs = (ConfusedPair("PER", "", 12), ConfusedPair("", "LOC", 3), ConfusedPair("LOC", "PER", 1))
    report = with_parts(
        ner_report(ledger=LossLedger(sentences=400)),
        analysis=Analysis(pairs=pairs),
        repeats=Repeats(),
    )
    said = report_page(report).summary
    assert said.startswith("On the 400 sentences of the test split the model reaches entity F1 0.6")
    assert "is likely (95 % interval)" in said
    assert "50.0 % of its 2 entities are found" in said
    assert "100.0 % of what is marked is right" in said
    assert (
        "Most frequent mistakes: PER missed (12 times), LOC where there is nothing (3 times), "
        "LOC taken for PER (1 time)."
    ) in said
    assert said.endswith("None of these sentences is in train or validation.")
    leaking = with_parts(report, repeats=Repeats(in_train=7, seen=7))
    assert report_page(leaking).summary.endswith("But 7 of 400 sentences are in train too.")


def test_the_summary_names_best_and_worst_only_where_they_have_enough() -> None:
    assert "Best is" not in report_page(ner_report()).summary
    labels = report_page(class_report_of()).summary
    assert "100.0 % of the texts are labelled exactly right." in labels


def test_of_no_split_there_is_nothing_to_say() -> None:
    page = report_page(Report.read({"task": "ner", "recipe": "mine", "splits": {}}))
    assert page.summary == ""
    assert page.sections == ()


def test_sections_begin_with_the_last_split_and_end_with_its_examples() -> None:
    examples = Examples("All", (Example(1, "a", ()),))
    pairs = (ConfusedPair("PER", "LOC", 1),)
    page = report_page(with_parts(ner_report(), analysis=Analysis(pairs=pairs, examples=examples)))
    titles = [section.title for section in page.sections]
    assert titles == ["Test", "Confusions", "Training", "Validation", "Examples"]
    assert page.headlines[0].startswith("test ")


LOG = [
    {"step": 10, "loss": 2.0},
    {"step": 20, "loss": math.nan},
    {"step": 20, "eval_score": 0.5},
    {"step": 30, "loss": 1.0, "epoch": 1.0},
    {"step": 30, "eval_score": 0.75},
    {"step": "many", "loss": 1.0},
    {"step": 40, "train_runtime": 5.0},
]


def test_the_training_curve_has_loss_and_score_and_marks_what_was_kept() -> None:
    loss, score = training_charts(LOG, figure="entity F1", best_step=30)
    assert loss.series[0].points == ((10, 2.0), (30, 1.0))  # what is no number is left out
    assert score.title == "Entity F1 on the validation split"
    assert score.series[0].points == ((20, 0.5), (30, 0.75))
    assert score.series[1].points == ((30, 0.75),)
    assert training_charts([], figure="F1", best_step=None) == ()


def test_a_long_training_is_drawn_from_means() -> None:
    log = [{"step": step, "loss": float(step % 2)} for step in range(1, 1001)]
    (loss,) = training_charts(log, figure="F1", best_step=None)
    assert len(loss.series[0].points) <= 200
    assert {y for _, y in loss.series[0].points} <= {0.4, 0.6}
    assert loss.note == "Each point is the mean of 5 logged steps."


def test_training_stands_in_its_section_with_its_curve() -> None:
    (training,) = (s for s in report_page(ner_report(), log=LOG).sections if s.title == "Training")
    assert [type(block).__name__ for block in training.blocks] == [
        "LineChart", "LineChart", "Table"]  # fmt: skip


def test_columns_of_words_in_a_table_of_figures_stand_on_the_left() -> None:
    table = Table("t", ("type", "as", "times"), (("a", "b", "1"), ("c", "", "2")))
    assert table.figure_columns == {2}
    assert Table("t", ("", ""), (("a", "1"),), figures=False).figure_columns == set()


def finished_run(folder: Path, *lines: str) -> Path:
    for name in ("recipe.yaml", "environment.json"):
        (folder / name).write_text("{}")
    (folder / "metrics.json").write_text(json.dumps(ner_report().metrics))
    (folder / "log.jsonl").write_text('{"step": 10, "loss": 2.5}\n{"step": 20, "lo')
    if lines:
        (folder / "predictions.jsonl").write_text("\n".join(lines))
    return folder


LINE = '{"tokens": ["Ada", "<b>"], "gold": ["B-PER", "O"], "tags": ["O", "O"], "entities": []}'


def test_the_page_of_an_earlier_run_is_written_anew_with_its_examples(nlpt, tmp_path) -> None:
    run = finished_run(tmp_path, LINE)
    code, out, err = nlpt("report", str(run), "--html", "pages/new.html")
    assert code == 0
    assert "test entity F1" in out
    assert "wrote pages/new.html" in err
    page = (tmp_path / "here" / "pages" / "new.html").read_text("utf-8")
    assert "Ada \\u003cb>" in page
    assert "Training loss" in page  # half a line of the log is left out


def test_a_page_without_predictions_has_no_examples(nlpt, tmp_path) -> None:
    assert nlpt("report", str(finished_run(tmp_path)), "--html", "new.html")[0] == 0
    assert "application/json" not in (tmp_path / "here" / "new.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "predictions.jsonl:1: this is not valid JSON"),
        ("{}", 'predictions.jsonl:1: "tokens" is missing'),
        (LINE.replace("B-PER", "B-PER "), None),
        ('{"tokens": 5, "gold": [], "tags": []}', "must be a list of texts"),
    ],
)
def test_predictions_that_cannot_be_shown_end_in_one_message(line, said, nlpt, tmp_path) -> None:
    code, _, err = nlpt("report", str(finished_run(tmp_path, line)), "--html", "new.html")
    assert code == (2 if said else 0)
    assert (said or "") in err
    assert (tmp_path / "here" / "new.html").exists() == (said is None)


def test_a_page_replaces_nothing_but_a_page(nlpt, tmp_path) -> None:
    run = finished_run(tmp_path, LINE)
    for place, says in (
        (tmp_path, "is a folder; name a file"),
        (run / "metrics.json" / "page.html", "is a file, so nothing can be written in it"),
        (run / "predictions.jsonl", "holds something else than a page"),
    ):
        code, _, err = nlpt("report", str(run), "--html", str(place))
        assert code == 2
        assert says in err
    for _ in range(2):
        assert nlpt("report", str(run), "--html", str(tmp_path / "page.html"))[0] == 0


def test_figures_that_are_no_numbers_end_in_one_message(nlpt, tmp_path) -> None:
    run = finished_run(tmp_path, LINE)
    text = (run / "metrics.json").read_text()
    (run / "metrics.json").write_text(text.replace('"f1": ', '"f1": NaN, "x": ', 1))
    code, _, err = nlpt("report", str(run), "--html", str(tmp_path / "page.html"))
    assert (code, "metrics.json: this file is damaged" in err) == (2, True), err
