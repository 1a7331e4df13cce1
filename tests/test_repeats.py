"""Examples that are not new: counted, said under the headline, and the headline without them."""

from __future__ import annotations

import csv
import json

import pytest
from damaging import made_by_hand

from tests.tiny import tagged_sentences, texts_with_classes, write_conll, write_csv

pytestmark = pytest.mark.usefixtures("one_thread")

PAGES = ("report.md", "report.html", "README.md")


@pytest.fixture
def leaky(tmp_path):
    """Four of nine test sentences are known: two from train, one in other case, one from dev."""
    folder = tmp_path / "data"
    folder.mkdir()
    train, dev, test = (tagged_sentences(n, seed=n) for n in (20, 6, 5))
    shouted = [(word.upper(), tag) for word, tag in train[2]]
    write_conll(folder / "train.conll", train)
    write_conll(folder / "dev.conll", dev)
    write_conll(folder / "test.conll", [*test, train[0], train[1], shouted, dev[0]])
    return folder


def run(nlpt, recipe, *options):
    code, _, err = nlpt("finetune", "--recipe", recipe, "--output", "run", *options)
    assert code == 0, err
    return err


def test_a_run_counts_its_leaks_and_scores_what_is_left(nlpt, tiny_recipe, leaky, tmp_path):
    err = run(nlpt, tiny_recipe("ner", source=leaky))
    leak = "test: 4 of 9 sentences are in train or validation too (train: 3, validation: 1)"
    assert leak in err
    folder = tmp_path / "here" / "run"
    figures = json.loads((folder / "metrics.json").read_text("utf-8"))["splits"]["test"]
    counts = {"in_train": 3, "in_validation": 1, "duplicates": 0, "conflicts": 0, "seen": 4}
    assert figures["repeats"] == counts
    assert json.loads((folder / "data.json").read_text("utf-8"))["splits"]["test"]["repeats"] == (
        counts
    )
    unseen = figures["unseen"]
    assert unseen["examples"] == 5
    low, high = unseen["f1_ci95"]
    said = f"On the other 5: entity F1 {unseen['f1']:.4f} (95 % interval {low:.4f} to {high:.4f})."
    for name in PAGES:
        page = (folder / name).read_text("utf-8").replace("\\", "")
        assert f"{leak}. {said}" in page, name
        assert page.index("test entity F1") < page.index(leak), name
        assert f"Nothing was lost. But {leak.removeprefix('test: ')}." in page, name
    assert f"{leak}. {said}" in " ".join(nlpt("report", "run")[1].split())


def test_what_is_left_is_scored_as_a_file_without_the_leaks_is(nlpt, tiny_recipe, leaky, tmp_path):
    recipe = tiny_recipe("ner", source=leaky)
    run(nlpt, recipe)
    write_conll(leaky / "test.conll", tagged_sentences(5, seed=5))
    report = json.loads(nlpt("evaluate", "run", "--recipe", recipe, "--json")[1])
    alone = report["splits"]["test"]
    assert alone["repeats"]["seen"] == 0
    assert "unseen" not in alone
    metrics = json.loads((tmp_path / "here/run/metrics.json").read_text("utf-8"))
    with_leaks = metrics["splits"]["test"]
    assert {**alone["entity"]["overall"], "examples": 5} == with_leaks["unseen"]


def test_evaluate_counts_leaks_of_the_recipes_train(nlpt, tiny_recipe, leaky):
    recipe = tiny_recipe("ner", source=leaky)
    run(nlpt, recipe)
    out = " ".join(nlpt("evaluate", "run", "--recipe", recipe)[1].split())
    assert "4 of 9 sentences are in train or validation too" in out
    assert "On the other 5: entity F1" in out


def test_blanks_and_case_hide_no_leak_and_inspect_counts_the_same(nlpt, tiny_recipe, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    train, dev, test = (texts_with_classes(n, seed=n) for n in (30, 6, 6))
    hidden = [(f"  {train[0][0]} ", train[0][1]), (train[1][0].upper(), train[1][1]), train[2]]
    for name, rows in (("train", train), ("dev", dev), ("test", [*test, *hidden])):
        write_csv(folder / f"{name}.csv", rows)
    recipe = tiny_recipe("classification", source=folder)
    run(nlpt, recipe)
    report = json.loads(nlpt("report", "run", "--json")[1])["splits"]["test"]
    findings = json.loads(nlpt("inspect", "--recipe", recipe, "--json")[1])["findings"]
    found = [f for f in findings if f["split"] == "test" and f["code"].startswith("leakage_train")]
    assert report["repeats"]["in_train"] == sum(finding["count"] for finding in found) >= 3
    assert report["unseen"]["examples"] == 9 - report["repeats"]["seen"]


def classes(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


@pytest.fixture
def doubtful(tmp_path):
    """One test text stands there twice, one has another label in train, one is plain."""
    folder = tmp_path / "data"
    folder.mkdir()
    known = [(f"text number {n}", "ab"[n % 2]) for n in range(20)]
    classes(folder / "train.csv", [*known, ("odd one", "a")])
    classes(folder / "dev.csv", [("first", "a"), ("second", "b")])
    classes(folder / "test.csv", [("twice", "a"), ("Twice ", "a"), ("odd one", "b"), ("new", "b")])
    return folder


def test_duplicates_and_conflicts_stand_under_the_headline(nlpt, tiny_recipe, doubtful, tmp_path):
    run(nlpt, tiny_recipe("classification", source=doubtful))
    figures = json.loads(nlpt("report", "run", "--json")[1])["splits"]["test"]
    counts = {"in_train": 1, "in_validation": 0, "duplicates": 1, "conflicts": 1, "seen": 1}
    assert figures["repeats"] == counts
    for name in PAGES:
        page = (tmp_path / "here" / "run" / name).read_text("utf-8")
        assert "test: 1 of 4 texts is in train too. On the other 3: macro F1" in page
        assert "test: 1 of 4 texts repeats an earlier one." in page
        assert "test: 1 of 4 texts has different labels at another place." in page


def test_a_test_split_that_is_the_training_data_leaves_nothing(nlpt, tiny_recipe, doubtful):
    (doubtful / "test.csv").write_bytes((doubtful / "train.csv").read_bytes())
    recipe = tiny_recipe("classification", source=doubtful)
    run(nlpt, recipe)
    assert "21 of 21 texts are in train too. Nothing is left to measure on." in " ".join(
        nlpt("report", "run")[1].split()
    )


def test_clean_data_has_no_remark_and_a_report_of_an_earlier_version_is_shown(
    nlpt, tiny_recipe, tmp_path
):
    folder = tmp_path / "data"
    folder.mkdir()
    for name, rows in (
        ("train", [(f"text number {n}", "ab"[n % 2]) for n in range(20)]),
        ("dev", [("first", "a"), ("second", "b")]),
        ("test", [("third", "a"), ("fourth", "b")]),
    ):
        classes(folder / f"{name}.csv", rows)
    run(nlpt, tiny_recipe("classification", source=folder))
    shown = nlpt("report", "run")[1]
    assert "Nothing was lost." in shown
    assert "But" not in shown
    assert " too" not in shown
    path = made_by_hand(tmp_path / "here" / "run") / "metrics.json"
    metrics = json.loads(path.read_text("utf-8"))
    del metrics["splits"]["test"]["repeats"]
    path.write_text(json.dumps(metrics))
    assert nlpt("report", "run")[1] == shown
