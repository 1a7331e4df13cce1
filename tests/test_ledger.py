"""The loss ledger: what reading and encoding cost, in the scores, the reports and the exit code."""

from __future__ import annotations

import json

import pytest

from nlp_transfer import finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.metrics.entities import entity_figures
from nlp_transfer.models.build import build_model

pytestmark = pytest.mark.usefixtures("one_thread")

NESTED = {"text": "Bank of America paid Ada", "spans": [
    {"start": 0, "end": 15, "label": "ORG"}, {"start": 8, "end": 15, "label": "LOC"},
    {"start": 21, "end": 24, "label": "PER"}]}  # fmt: skip
FLAT = {"text": "Ada left Rome", "spans": [
    {"start": 0, "end": 3, "label": "PER"}, {"start": 9, "end": 13, "label": "LOC"}]}  # fmt: skip


@pytest.fixture
def nested_data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name, rows in (("train", [FLAT, NESTED] * 6), ("dev", [FLAT] * 4), ("test", [NESTED] * 2)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_entities_that_words_cannot_hold_count_as_not_found(tiny_recipe, nested_data, tmp_path):
    recipe = tiny_recipe("ner", source=nested_data)
    options = ["data.overlapping=longest", "training.epochs=1"]
    report = finetune(load_recipe(str(recipe), options), output=tmp_path / "run")
    figures = report.metrics["splits"]["test"]
    assert figures["ledger"]["entities"] == figures["entity"]["overall"]["support"] == 6
    assert figures["ledger"]["entities_dropped"] == 2
    assert figures["entity"]["per_type"]["LOC"] == {
        "precision": 0, "recall": 0, "f1": 0, "support": 2}  # fmt: skip
    assert "gold entities that words cannot hold" in (tmp_path / "run/report.md").read_text("utf-8")


def test_a_run_that_loses_too_many_entities_fails_before_it_trains(
    tiny_recipe, nested_data, tmp_path
):
    recipe = str(tiny_recipe("ner", source=nested_data))
    options = ["data.overlapping=longest", "evaluation.max_lost_entities=0.3"]
    with pytest.raises(UserError, match=r"test split loses 2 of 6 gold entities \(33\.33%"):
        finetune(load_recipe(recipe, options), output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_entities_with_a_word_longer_than_a_window_are_counted(tiny_recipe, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [{"tokens": ["Ada", "left", "Rome"], "tags": ["B-PER", "O", "B-LOC"]}] * 4
    long = {"tokens": ["see", "adaleftrome" * 8, "."], "tags": ["O", "B-PER", "O"]}
    for name, chosen in (("train", rows), ("dev", rows), ("test", [*rows, long])):
        text = "".join(json.dumps(row) + "\n" for row in chosen)
        (folder / f"{name}.jsonl").write_text(text)
    recipe = load_recipe(str(tiny_recipe("ner", source=folder)), ["model.max_pieces=16"])
    ledger = finetune(recipe, output=tmp_path / "run").metrics["splits"]["test"]["ledger"]
    assert (ledger["words_truncated"], ledger["entities_truncated"]) == (1, 1)


def test_lost_entities_lower_recall_alone():
    gold, predicted = [["B-X", "O", "B-Y"]], [["B-X", "O", "B-Y"]]
    whole = entity_figures(gold, predicted, samples=100)
    lost = entity_figures(gold, predicted, lost=[["X", "Z"]], samples=100)
    assert whole.overall.f1 == 1
    assert lost.overall.precision == 1
    assert lost.overall.recall == 0.5
    assert lost.overall.f1 == pytest.approx(2 / 3)
    assert lost.per_type["X"].support == 2
    assert lost.per_type["Z"].as_dict() == {"precision": 0, "recall": 0, "f1": 0, "support": 1}
    assert lost.partial_credit["strict"].recall == 0.5


@pytest.mark.parametrize("context", [0, 8])
def test_several_processes_encode_the_same_windows(tiny_recipe, tiny_bert, tmp_path, context):
    from nlp_transfer.training.encoding import encode

    folder = tmp_path / "data"
    folder.mkdir()
    sentence = "Ada\tB-PER\nleft\tO\nRome\tB-LOC\n\n"
    documents = "".join(f"# newdoc id = {n}\n{sentence * 7}" for n in range(300))
    (folder / "train.conll").write_text(documents)
    recipe = load_recipe(str(tiny_recipe("ner", source=folder)), [f"task.context_words={context}"])
    splits = recipe.task.rows.load(recipe.data, held_out=False)
    loaded = build_model(tiny_bert, recipe.task.head.new(splits.labels), recipe.model)
    one = encode(recipe.task, splits["train"], loaded, recipe.model)
    two = encode(recipe.task, splits["train"], loaded, recipe.model, processes=2)
    assert two.ledger == one.ledger
    assert two.windows.to_list() == one.windows.to_list()


def test_a_test_split_without_entities_is_said_and_scored_zero(tiny_recipe, nlpt, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("train", "dev"):
        (folder / f"{name}.conll").write_text("Ada\tB-PER\nleft\tO\n\n" * 4)
    (folder / "test.conll").write_text("it\tO\nrained\tO\n")
    code, out, err = nlpt("finetune", "-r", tiny_recipe("ner", source=folder), "--json")
    assert code == 0, err
    assert "test: no entities: entity F1 is undefined" in err
    overall = json.loads(out)["splits"]["test"]["entity"]["overall"]
    assert (overall["f1"], overall["support"]) == (0, 0)
