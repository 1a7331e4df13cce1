"""The scorers as `evaluate` metrics: offline, over batches and processes, in a stock Trainer."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nlp_transfer.errors import UserError
from nlp_transfer.metrics import EntityScorer, TokenScorer
from nlp_transfer.metrics.entities import entity_figures
from nlp_transfer.metrics.flat import by_path
from nlp_transfer.metrics.labels import label_figures

PAGE = (Path(__file__).parent.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
GOLD = [["B-PER", "I-PER", "O"], ["O", "B-LOC"], ["B-LOC", "I-LOC", "B-PER"], ["O"]]
PREDICTED = [["B-PER", "O", "O"], ["O", "B-LOC"], ["B-LOC", "I-LOC", "B-LOC"], ["B-PER"]]


@pytest.fixture(autouse=True)
def _own_cache_of_metrics(tmp_path, monkeypatch):
    monkeypatch.setattr("evaluate.config.HF_METRICS_CACHE", str(tmp_path / "metrics"))


def entity_wanted(gold=GOLD, predicted=PREDICTED):
    figures = entity_figures(gold, predicted, samples=1000).as_dict()
    return {**figures.pop("entity"), **figures}


def ids(side):
    return [[NAMES.index(tag) for tag in tags] for tags in side]


def padded(side, filler):
    """Give every word two pieces, and fill up to one length."""
    rows = [[piece for tag in tags for piece in (NAMES.index(tag), filler)] for tags in side]
    longest = max(map(len, rows))
    return np.array([row + [filler] * (longest - len(row)) for row in rows])


def test_text_and_ids_give_the_figures_of_metrics_json():
    assert EntityScorer().compute(predictions=PREDICTED, references=GOLD) == entity_wanted()
    for labels in (NAMES, dict(enumerate(NAMES)), {str(i): n for i, n in enumerate(NAMES)}):
        scorer = EntityScorer(labels)
        assert scorer.compute(predictions=ids(PREDICTED), references=ids(GOLD)) == entity_wanted()
    tokens = TokenScorer().compute(predictions=PREDICTED, references=GOLD)
    assert tokens == label_figures(GOLD, PREDICTED).as_dict("per_tag")


def test_batches_and_single_sentences_are_the_whole():
    scorer = EntityScorer()
    scorer.add_batch(predictions=PREDICTED[:2], references=GOLD[:2])
    scorer.add_batch(predictions=[], references=[])
    scorer.add(prediction=PREDICTED[2], reference=GOLD[2])
    assert scorer.compute(predictions=PREDICTED[3:], references=GOLD[3:]) == entity_wanted()
    assert scorer.compute(predictions=GOLD, references=GOLD)["overall"]["f1"] == 1.0  # begins anew


def test_where_the_reference_is_ignored_both_sides_are():
    scorer = EntityScorer(NAMES)
    found = scorer.compute(predictions=padded(PREDICTED, 3), references=padded(GOLD, -100))
    assert found == entity_wanted()


def test_several_processes_score_what_one_would(tmp_path):
    def score(process):
        scorer = TokenScorer(
            num_process=2, process_id=process, experiment_id="both", cache_dir=str(tmp_path)
        )
        scorer.add_batch(predictions=PREDICTED[process::2], references=GOLD[process::2])
        return scorer.compute()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(score, range(2))
    assert first == label_figures(GOLD, PREDICTED).as_dict("per_tag")
    assert second is None


@pytest.mark.parametrize(
    ("scheme", "gold", "predicted"),
    [
        ("bioes", ["B-PER", "E-PER", "S-LOC", "O"], ["B-PER", "E-PER", "S-PER", "O"]),
        ("bilou", ["B-PER", "L-PER", "U-LOC", "O"], ["B-PER", "L-PER", "U-PER", "O"]),
        ("iob1", ["I-PER", "I-PER", "I-LOC", "O"], ["I-PER", "I-PER", "B-PER", "O"]),
        ("io", ["PER", "PER", "LOC", "O"], ["PER", "PER", "O", "LOC"]),
        ("iob2", ["B-PER", "I-PER", "B-LOC", "O"], ["I-PER", "I-PER", "B-PER", "O"]),
    ],
)
def test_every_scheme_is_read(scheme, gold, predicted):
    schemes = {scheme} if scheme == "io" else {scheme, "auto"}
    for said in schemes:
        overall = EntityScorer(scheme=said).compute(references=[gold], predictions=[predicted])
        assert overall["overall"]["precision"] == 0.5, said
        assert overall["per_type"]["PER"]["recall"] == 1.0, said


def test_a_models_names_tell_the_scheme_where_the_references_do_not():
    scorer = EntityScorer(labels=["O", "S-PER", "B-PER", "I-PER", "E-PER"])
    found = scorer.compute(references=[[0, 0, 0]], predictions=[[0, 2, 4]])
    assert found["per_type"]["PER"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}


@pytest.mark.parametrize(
    ("scorer", "references", "predictions", "said"),
    [
        (lambda: EntityScorer(), [["O"]], [["PERSON"]], "'PERSON' is none of the scheme iob2"),
        (lambda: EntityScorer(), [[0]], [[0]], "labels=model.config.id2label"),
        (lambda: EntityScorer(NAMES), [[0]], [[7]], "7 is none of the ids 0 to 4"),
        (lambda: EntityScorer(), [["O", "O"]], [["O"]], "2 references and 1 predictions"),
        (lambda: TokenScorer(), [["O"], ["O"]], [["O"]], "1 predictions and 2 references"),
        (lambda: EntityScorer(NAMES), [[0]], [[1.5]], "1.5 is none of the ids 0 to 4"),
        (lambda: EntityScorer(NAMES), [[0]], [[float("nan")]], "nan is none of the ids"),
        (lambda: EntityScorer(), ["O"], ["O"], "'O': it must be a list of tags"),
        (lambda: EntityScorer(samples=0), [], [], "samples=0 must be 1 or more"),
        (lambda: EntityScorer(scheme="iob3"), [], [], "'iob3' is none of auto, iob1"),
    ],
)
def test_what_cannot_be_scored_is_refused(scorer, references, predictions, said):
    with pytest.raises(UserError) as error:
        scorer().compute(references=references, predictions=predictions)
    assert said in str(error.value)


def test_nothing_there_is_zero_not_one():
    assert EntityScorer().compute(references=[["O"]], predictions=[["O"]])["overall"]["f1"] == 0.0
    assert TokenScorer().compute(references=[[]], predictions=[[]])["accuracy"] == 0.0


@pytest.mark.parametrize("batches", [False, True])
def test_the_trainer_example_of_the_docs_works(batches, checkpoint, tmp_path):
    """The figures are those of predicting by hand."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint("bert"))
    model = transformers.AutoModelForTokenClassification.from_pretrained(
        checkpoint("bert"), id2label=dict(enumerate(NAMES)), label2id={}
    )
    encoded = []
    for words, tags in (("Ada left Rome", GOLD[2]), ("Rome", ["B-LOC"])):
        row = dict(tokenizer(words.split(), is_split_into_words=True))
        whole = tokenizer(words.split(), is_split_into_words=True).word_ids()
        row["labels"] = [
            -100 if word is None or word == whole[n - 1] else NAMES.index(tags[word])
            for n, word in enumerate(whole)
        ]
        encoded.append(row)
    names = {
        "model": model,
        "encoded": encoded,
        "collator": transformers.DataCollatorForTokenClassification(tokenizer),
        "args": transformers.TrainingArguments(
            str(tmp_path), use_cpu=True, report_to="none", per_device_eval_batch_size=1,
            batch_eval_metrics=batches,
        ),
    }  # fmt: skip
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], names)
    gold, predicted = [], []
    for row in encoded:
        with torch.inference_mode():
            best = model(torch.tensor([row["input_ids"]])).logits[0].argmax(-1).tolist()
        kept = [n for n, label in enumerate(row["labels"]) if label != -100]
        gold.append([row["labels"][n] for n in kept])
        predicted.append([best[n] for n in kept])
    wanted = EntityScorer(NAMES).compute(references=gold, predictions=predicted)
    found = names["trainer"].evaluate()
    assert found["eval_f1"] == wanted["overall"]["f1"]
    assert found["eval_per_type/LOC/recall"] == wanted["per_type"]["LOC"]["recall"]


def test_the_other_example_of_the_docs_works(capsys):
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], {})
    assert "'support': 2" in capsys.readouterr().out


def test_logits_are_scored_by_their_best():
    logits = np.eye(len(NAMES))[padded(PREDICTED, 3)]
    evaluated = SimpleNamespace(predictions=(logits, "states"), label_ids=padded(GOLD, -100))
    found = EntityScorer(NAMES).compute_metrics(evaluated)
    assert found["precision"] == entity_wanted()["overall"]["precision"]


def test_importing_the_metrics_is_light():
    code = (
        "import sys, nlp_transfer.metrics, nlp_transfer.metrics.entities; "
        "print({'torch', 'evaluate', 'transformers', 'datasets'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_flat_names_are_safe_and_none_replaces_another():
    figures = {
        "f1": 0.5,
        "f1_ci95": [0.25, 0.75],
        "per_type": {"A/B": {"f1": 0}, "A B": {"f1": 1}, "日本": {"f1": 2}, "中国": {"f1": 3}},
        "..": 4,
        "note": "text",
        "shown": True,
        "none": None,
        "list": [1, 2, 3],
    }
    assert by_path(figures) == {
        "f1": 0.5,
        "f1_ci95_low": 0.25,
        "f1_ci95_high": 0.75,
        "per_type/A_B/f1": 0,
        "per_type/A_B_2/f1": 1,
        "per_type/日本/f1": 2,
        "per_type/中国_2/f1": 3,
        "_": 4,
    }
    assert [len(name) for name in by_path({"x" * 300: 1.0, "x" * 301: 2.0})] == [80, 82]
