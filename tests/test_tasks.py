"""What the tasks promise, from data file to metrics.json and predictions.jsonl."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nlp_transfer import Predictor, UserError, finetune, load_recipe
from nlp_transfer.flows.prepare import prepare as prepare_data
from nlp_transfer.flows.report import read_report
from nlp_transfer.tasks.classification.task import ClassificationTask
from nlp_transfer.tasks.ner.task import NerTask
from nlp_transfer.tasks.objective import Objective

pytestmark = pytest.mark.usefixtures("one_thread")

DROPPED = "\u200b"  # a zero-width space: the tokenizer makes no piece of it
Recipes = Callable[..., Path]


def _rows(run: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (run / "predictions.jsonl").read_text("utf-8").splitlines()
    ]


def _write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / name).write_text(text, encoding="utf-8")


def _ner_data(folder: Path, test: list[dict[str, Any]]) -> Path:
    train = [{"tokens": ["Ada", "left", "Rome", str(i)], "tags": ["B-PER", "O", "B-LOC", "O"]}
             for i in range(12)]  # fmt: skip
    for name, rows in (("train", train), ("dev", train[:4]), ("test", test)):
        _write(folder, f"{name}.jsonl", rows)
    return folder


def test_long_sentences_and_words_without_pieces_all_get_their_tag(
    tiny_recipe: Recipes, tmp_path: Path
) -> None:
    long = ["Ada", "visited", "Rome"] * 60
    tags = ["B-PER", "O", "B-LOC"] * 60
    odd = [DROPPED, "Ada", DROPPED]
    data = _ner_data(
        tmp_path / "data",
        [{"tokens": long, "tags": tags}, {"tokens": odd, "tags": ["O", "B-PER", "O"]},
         {"tokens": [], "tags": []}],
    )  # fmt: skip
    recipe = load_recipe(str(tiny_recipe("ner", source=data)), ["training.epochs=1"])
    report = finetune(recipe, output=tmp_path / "run")
    rows = _rows(tmp_path / "run")
    assert [len(row["tags"]) for row in rows] == [180, 3]
    assert report.metrics["splits"]["test"]["ledger"]["examples_dropped"] == 1
    ledger = report.metrics["splits"]["test"]["ledger"]
    assert ledger["sentences"] == 2
    assert ledger["words"] == 183
    assert ledger["entities"] == 121
    assert ledger["words_without_pieces"] == 2
    assert ledger["windows"] > 3
    assert ledger["words_truncated"] == 0
    figures = report.metrics["splits"]["test"]
    assert figures["entity"]["overall"]["support"] == 121
    assert figures["token"]["micro"]["support"] == 183


def test_a_type_unseen_in_train_counts_against_recall(tiny_recipe: Recipes, tmp_path: Path) -> None:
    test = [{"tokens": ["Ada", "uses", "Linux"], "tags": ["B-PER", "O", "B-PRODUCT"]}]
    recipe = load_recipe(str(tiny_recipe("ner", source=_ner_data(tmp_path / "data", test))))
    report = finetune(recipe, output=tmp_path / "run")
    figures = report.metrics["splits"]["test"]
    assert figures["ledger"]["entities_unseen_type"] == 1
    assert figures["entity"]["overall"]["support"] == 2
    assert figures["entity"]["per_type"]["PRODUCT"]["recall"] == 0
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text("utf-8"))
    assert set(config["label2id"]) == {
        "O", "B-LOC", "I-LOC", "B-PER", "I-PER", "B-PRODUCT", "I-PRODUCT",
    }  # fmt: skip


def test_prepared_data_keeps_the_ledger_that_it_had(
    tiny_recipe: Recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPT_CACHE", str(tmp_path / "cache"))
    test = [{"tokens": ["Ada", "uses", "Linux"], "tags": ["I-PER", "O", "B-PRODUCT"]}]
    recipe = load_recipe(str(tiny_recipe("ner", source=_ner_data(tmp_path / "data", test))))
    ledgers = [prepare_data(recipe).splits["test"].ledger.as_dict() for _ in range(2)]
    report = finetune(recipe, output=tmp_path / "run")
    ledgers.append(report.metrics["splits"]["test"]["ledger"])
    assert ledgers[0] == ledgers[1] == ledgers[2]
    assert ledgers[0]["entities_unseen_type"] == 1
    assert ledgers[0]["tags_repaired"] == 1


def test_document_context_changes_what_is_read_but_not_what_is_labelled(
    tiny_recipe: Recipes, tmp_path: Path, trained_ner: Path
) -> None:
    recipe = tiny_recipe("ner")
    wide = finetune(
        load_recipe(str(recipe), ["training.epochs=1", "task.context_words=8"]),
        output=tmp_path / "b",
    )
    reports = read_report(trained_ner), wide
    one, other = (r.metrics["splits"]["test"]["ledger"] for r in reports)
    assert one["words"] == other["words"]
    assert [row["tokens"] for row in _rows(trained_ner)] == [
        row["tokens"] for row in _rows(tmp_path / "b")
    ]
    # The saved model remembers its context: a document read at once differs from its sentences.
    predictor = Predictor.from_run(tmp_path / "b", precision="fp32")
    sentences = [["Ada", "left", "Rome", "."], ["Alan", "sued", "Globex", "."]]
    together = [{"tokens": words, "document": "d"} for words in sentences]
    apart = [{"tokens": words} for words in sentences]
    scores = [
        [entity["score"] for row in predictor(items) for entity in row["entities"]]
        for items in (together, apart)
    ]
    tokens = [[row["tokens"] for row in predictor(items)] for items in (together, apart)]
    assert tokens[0] == tokens[1] == sentences
    assert scores[0] != scores[1] or scores == [[], []]


def test_sentence_pairs_are_read_together(tiny_recipe: Recipes, tmp_path: Path) -> None:
    rows = [
        {"text": f"Ada left {i}", "text_pair": "Ada stayed", "label": "no" if i % 2 else "yes"}
        for i in range(12)
    ]
    for name in ("train", "dev", "test"):
        _write(tmp_path / "data", f"{name}.jsonl", rows)
    recipe = load_recipe(str(tiny_recipe("classification", source=tmp_path / "data")))
    finetune(recipe, output=tmp_path / "run")
    assert _rows(tmp_path / "run")[0]["text_pair"] == "Ada stayed"
    predictor = Predictor.from_run(tmp_path / "run", precision="fp32")
    with_pair, without = predictor([{"text": "Ada left", "text_pair": "Ada stayed"}, "Ada left"])
    assert with_pair["scores"] != without["scores"]


def test_multi_label_texts_may_have_several_labels_or_none(
    tiny_recipe: Recipes, tmp_path: Path
) -> None:
    rows = [
        {"text": "Ada left", "labels": ["a", "b"]}, {"text": "Alan sued", "labels": ["c"]},
        {"text": "nothing", "labels": []}, {"text": "Rome again", "labels": ["a"]},
    ] * 4  # fmt: skip
    for name in ("train", "dev", "test"):
        _write(tmp_path / "data", f"{name}.jsonl", rows)
    path = tiny_recipe("classification", source=tmp_path / "data")
    only_steps = "training.arguments={eval_strategy: no, save_strategy: no}"
    overrides = ["task.multi_label=true", "task.threshold=0.4", "training.epochs=20", only_steps]
    report = finetune(load_recipe(str(path), overrides), output=tmp_path / "run")
    table = report.metrics["splits"]["test"]["class"]
    assert table["per_label"]["a"]["support"] == 8
    assert table["micro"]["support"] == 16
    assert 0 <= table["accuracy"] <= 1
    for row in Predictor.from_run(tmp_path / "run")(["Ada left", "nothing"]):
        assert row["labels"] == [name for name, score in row["scores"].items() if score >= 0.4]


def test_long_texts_are_read_in_windows_or_cut_and_counted(
    tiny_recipe: Recipes, tmp_path: Path
) -> None:
    rows = [{"text": f"order {i} is late", "label": "ab"[i % 2]} for i in range(8)]
    rows.append({"text": " ".join(["order"] * 200), "label": "a"})
    for name in ("train", "dev", "test"):
        _write(tmp_path / "data", f"{name}.jsonl", rows)
    recipe = str(tiny_recipe("classification", source=tmp_path / "data"))
    ledgers = {}
    for way in ("windows", "truncate"):
        report = finetune(
            load_recipe(recipe, [f"task.long_texts={way}", "training.epochs=1"]),
            output=tmp_path / way,
        )
        ledgers[way] = report.metrics["splits"]["test"]["ledger"]
        assert len(_rows(tmp_path / way)) == 9
    assert ledgers["windows"]["windows"] > 9
    assert ledgers["windows"]["words_truncated"] == 0
    assert ledgers["truncate"]["windows"] == 9
    read_words = 200 - ledgers["truncate"]["words_truncated"]
    assert 0 < read_words < 48


def test_window_logits_are_averaged() -> None:
    task = ClassificationTask()
    one, two = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 4.0]])
    scores = task.decoder.stitch([one.numpy(), two.numpy()], 2)
    prediction = task.decoder.decode(scores, ["a", "b"])
    mean = torch.tensor([1.0, 2.0]).softmax(0).tolist()
    assert prediction.labels == ("b",)
    assert list(prediction.scores.values()) == pytest.approx(mean)


def test_greedy_tags_are_read_as_the_conll_scorer_reads_them() -> None:
    labels = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    scores = torch.full((3, 5), -5.0)
    for word, label in enumerate((2, 4, 0)):
        scores[word, label] = 0
    task = NerTask(decoding="greedy")
    assert task.decoder.decode(scores.numpy(), labels).tags == ("B-PER", "B-LOC", "O")
    best = NerTask().decoder.decode(scores.numpy(), labels).tags
    assert best[0] in ("O", "B-PER", "B-LOC")  # never I- at the start


def test_loss_is_the_mean_over_labelled_words_with_smoothing() -> None:
    logits = torch.tensor([[[1.0, 2.0, 0.5], [0.0, 0.0, 0.0], [3.0, 1.0, 0.0]]])
    labels = torch.tensor([[1, -100, 0]])
    expected = 0.0
    for position, label in ((0, 1), (2, 0)):
        log_p = logits[0, position].log_softmax(0)
        expected -= (0.9 * log_p[label] + 0.1 * log_p.mean()).item()
    assert NerTask().head.loss_sum(
        logits, labels, Objective(smoothing=0.1)
    ).item() == pytest.approx(expected)


def test_dropout_of_the_recipe_reaches_the_model(tiny_recipe: Recipes, tmp_path: Path) -> None:
    recipe = load_recipe(str(tiny_recipe("ner")), ["model.dropout=0.25", "training.epochs=1"])
    finetune(recipe, output=tmp_path / "run")
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text("utf-8"))
    assert config["hidden_dropout_prob"] == config["attention_probs_dropout_prob"] == 0.25


def test_a_single_string_is_not_a_list_of_texts(trained_ner: Path) -> None:
    with pytest.raises(TypeError, match="list of texts"):
        next(Predictor.from_run(trained_ner)("Ada left Rome"))


def test_an_unlabelled_test_split_is_refused_before_training(
    tiny_recipe: Recipes, tmp_path: Path
) -> None:
    rows = [{"text": f"order {i}", "label": i % 2} for i in range(8)]
    hidden = [{"text": "order", "label": -1}]
    for name, content in (("train", rows), ("dev", rows), ("test", hidden)):
        _write(tmp_path / "data", f"{name}.jsonl", content)
    recipe = load_recipe(str(tiny_recipe("classification", source=tmp_path / "data")))
    with pytest.raises(UserError, match="test split have no label"):
        finetune(recipe, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()
