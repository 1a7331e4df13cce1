"""How sure an answer is: the probability of whole entities, scores that come true, thresholds."""

from __future__ import annotations

import itertools
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damaging import made_by_hand
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import CLASSES, tagged_sentences, texts_with_classes, write_conll, write_csv, write_recipe

from nlp_transfer import Ensemble, Predictor, UserError, finetune, load_recipe
from nlp_transfer.data.tags import Span, spans, tags_of
from nlp_transfer.metrics.calibration import chance, fit_curve, fit_temperature, tempered
from nlp_transfer.metrics.precision import PrecisionCurve
from nlp_transfer.metrics.reliability import Reliability
from nlp_transfer.tasks.ner.decoding import NerDecoder
from nlp_transfer.tasks.ner.span_scores import iob2_steps, span_log_probabilities

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
PLACES = [number for number, label in enumerate(LABELS)]


def sentences(most: int = 4) -> st.SearchStrategy[np.ndarray]:
    """Make log-probabilities of the labels of a few words."""
    word = st.lists(st.floats(-6, 6), min_size=len(LABELS), max_size=len(LABELS))
    return st.lists(word, min_size=1, max_size=most).map(normed)


def normed(logits: list[list[float]]) -> np.ndarray:
    rows = np.array(logits)
    return (rows - np.logaddexp.reduce(rows, axis=1, keepdims=True)).astype(np.float32)


def is_legal(tags: tuple[str, ...]) -> bool:
    before = ("O", *tags)
    return all(tag[0] != "I" or before[n] in (f"B-{tag[2:]}", tag) for n, tag in enumerate(tags))


def by_counting(scores: np.ndarray, span: Span, *, legal: bool) -> float:
    """Add up the probabilities of all sequences of labels that have an entity just there."""
    has = total = 0.0
    for path in itertools.product(PLACES, repeat=len(scores)):
        tags = tuple(LABELS[label] for label in path)
        if legal and not is_legal(tags):
            continue
        probability = math.exp(sum(float(scores[n, label]) for n, label in enumerate(path)))
        total += probability
        after = tags[span.last + 1] if span.last + 1 < len(tags) else "O"
        inside = list(tags[span.first : span.last + 1]) == tags_of(span)
        has += probability * (inside and after != f"I-{span.type}")
    return has / total


@settings(max_examples=60, deadline=None)
@given(sentences())
def test_a_score_is_the_share_of_all_legal_sequences_that_have_the_entity(scores):
    tagging = NerDecoder("viterbi").decode(scores, LABELS)
    found = spans(tagging.tags)
    assert len(tagging.entity_scores) == len(found)
    for span, score in zip(found, tagging.entity_scores, strict=True):
        assert score == pytest.approx(by_counting(scores, span, legal=True), rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(sentences())
def test_greedily_a_score_is_the_product_of_its_words(scores):
    tagging = NerDecoder("greedy").decode(scores, LABELS)
    chosen = [LABELS[n] for n in scores.argmax(axis=1)]
    for span, score in zip(spans(tagging.tags), tagging.entity_scores, strict=True):
        if chosen[span.first].startswith("B-"):  # an I- that begins one is no B- of the model
            assert score == pytest.approx(by_counting(scores, span, legal=False), rel=1e-5)
        assert 0 < score <= 1


def test_no_answer_of_a_very_sure_model_is_more_than_certain():
    rng = np.random.default_rng(0)
    decoder, most = NerDecoder("viterbi"), 0.0
    for words in rng.integers(1, 12, 300):  # of more than 1 there are no log odds
        logits = rng.normal(size=(words, len(LABELS)))
        logits[np.arange(words), [1, *rng.choice(3, words - 1)]] += rng.choice([20, 30, 40])
        most = max(most, *decoder.decode(normed(logits.tolist()), LABELS).entity_scores)
    assert most == 1


@settings(max_examples=40, deadline=None)
@given(sentences(), st.data())
def test_all_that_may_begin_at_a_word_adds_up(scores, data):
    first = data.draw(st.integers(0, len(scores) - 1))
    steps = iob2_steps(LABELS, legal=True)
    total = 0.0
    for kind in ("PER", "LOC"):
        for last in range(first, len(scores)):
            span = Span(kind, first, last)
            path = np.zeros(len(scores), np.int64)
            path[first : last + 1] = [LABELS.index(tag) for tag in tags_of(span)]
            total += math.exp(*span_log_probabilities(scores, path, [span], steps))
    begins = sum(
        by_counting(scores, Span(kind, first, last), legal=True)
        for kind in ("PER", "LOC")
        for last in range(first, len(scores))
    )
    assert total == pytest.approx(begins, rel=1e-5)
    assert total <= 1 + 1e-9


def test_a_sentence_of_any_length_has_scores():
    scores = normed([[0.0, 1.0, 0.5, 0.0, 0.9]] * 5000)
    tagging = NerDecoder("viterbi").decode(scores, LABELS)
    assert all(0 < score < 1 for score in tagging.entity_scores)
    assert len(tagging.entity_scores) == len(spans(tagging.tags)) > 0


def answers(count: int, slope: float, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Make scores, and answers that are right as often as a curve says."""
    random = np.random.default_rng(0)
    odds = random.normal(2, 2, count).clip(-12, 12)
    return odds, random.random(count) < chance(slope * odds + shift)


def test_many_answers_tell_the_curve_and_few_leave_it_where_it_was():
    odds, right = answers(20_000, 0.5, -1.0)
    group = np.zeros(len(odds), np.int64)
    fitted = fit_curve(odds, right, group, 1)
    assert fitted.slope == pytest.approx(0.5, abs=0.05)
    assert fitted.shift + fitted.groups[0] == pytest.approx(-1.0, abs=0.1)
    few = fit_curve(odds[:3], right[:3], group[:3], 1)
    assert few.slope == pytest.approx(1, abs=0.3)
    assert abs(few.shift) < 1
    never = fit_curve(np.full(50, 12.0), np.zeros(50, np.bool_), group[:50], 1)
    assert never.slope >= 0.05
    assert chance(np.array([never.slope * 12 + never.shift]))[0] < 0.5


@settings(max_examples=25, deadline=None)
@given(st.floats(0.3, 4), st.integers(0, 100))
def test_the_temperature_makes_gold_labels_likelier_and_keeps_the_order(temperature, seed):
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (300, 4))
    true = np.exp(tempered(logits, temperature))
    gold = np.array([random.choice(4, p=row) for row in true])
    model = tempered(logits, 1.0)
    fitted = tempered(model, fit_temperature(model, gold))
    rows = np.arange(len(gold))
    assert fitted[rows, gold].mean() >= model[rows, gold].mean() - 1e-9
    assert (fitted.argmax(axis=1) == model.argmax(axis=1)).all()
    assert np.allclose(np.exp(fitted).sum(axis=1), 1)


def test_calibration_error_is_as_it_is_defined():
    scores = np.repeat([0.55, 0.95], 50)
    right = np.array([True] * 25 + [False] * 25 + [True] * 45 + [False] * 5)
    found = Reliability.of(scores, right)
    assert found.ece_equal_width == pytest.approx(0.5 * 0.05 + 0.5 * 0.05)
    assert found.brier == pytest.approx(((scores - right) ** 2).mean())
    assert sum(each.answers for each in found.bins) == 100
    assert Reliability.read(json.loads(json.dumps(found.as_dict()))) == found


def test_exact_scores_have_the_error_that_chance_gives_them():
    random = np.random.default_rng(1)
    scores = random.uniform(0.3, 1, 400)
    errors = [Reliability.of(scores, random.random(400) < scores).ece for _ in range(200)]
    assert Reliability.of(scores, scores > 0).ece_by_chance == pytest.approx(
        np.mean(errors), rel=0.1
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=200))
def test_a_curve_counts_what_its_thresholds_keep(pairs):
    scores = np.array([score for score, _ in pairs])
    right = np.array([is_right for _, is_right in pairs])
    curve = PrecisionCurve.of(scores, right)
    assert curve.kept[-1] == len(pairs)
    assert PrecisionCurve.model_validate(json.loads(curve.model_dump_json())) == curve
    assert len(curve.scores) <= 40
    for least, kept, correct in zip(curve.scores, curve.kept, curve.right, strict=True):
        assert kept == (scores >= least).sum() or least < 1e-6
        assert correct <= kept
    found = curve.threshold(0.8)
    if found is not None:
        assert found.kept >= 30
        low, high = found.interval
        assert 0 <= low <= found.right / found.kept <= high <= 1


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, checkpoint: Callable[..., Path]
) -> dict[str, Path]:
    """Train a tagger and a classifier, with enough validation data for a threshold."""
    folder, made = tmp_path_factory.mktemp("sure"), {}
    for task, train in (("ner", 60), ("classification", 48)):
        data = folder / f"{task}-data"
        data.mkdir()
        for seed, (split, count) in enumerate(
            {"train": train, "validation": 60, "test": 20}.items()
        ):
            if task == "ner":
                write_conll(data / f"{split}.conll", tagged_sentences(count, seed=seed))
            else:
                write_csv(data / f"{split}.csv", texts_with_classes(count, seed=seed))
        recipe = write_recipe(
            folder / f"{task}.yaml",
            task=task,
            data=data,
            checkpoint=checkpoint("bert"),
            strategy="full",
            training={"epochs": 5, "learning_rate": 3e-3},
        )
        made[task] = folder / task
        finetune(load_recipe(str(recipe)), output=made[task])
    return made


def said(run: Path) -> dict[str, Any]:
    """Read what a run's model keeps of nlp_transfer."""
    kept: dict[str, Any] = json.loads((run / "model" / "config.json").read_text("utf-8"))
    return kept["nlp_transfer"]


def copy_with(run: Path, folder: Path, calibration: object) -> Path:
    """Copy a run's model with another calibration; None: without one."""
    made_by_hand(shutil.copytree(run / "model", folder))
    file = folder / "config.json"
    config = json.loads(file.read_text("utf-8"))
    config["nlp_transfer"]["calibration"] = calibration
    if calibration is None:
        del config["nlp_transfer"]["calibration"]
    file.write_text(json.dumps(config), encoding="utf-8")
    return folder


def lines(run: Path) -> list[dict[str, Any]]:
    text = (run / "predictions.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_predict_says_what_the_run_has_said(runs: dict[str, Path]) -> None:
    tagger = Predictor.from_run(runs["ner"], precision="fp32")
    before = lines(runs["ner"])
    again = list(tagger([{"tokens": line["tokens"]} for line in before]))
    for line, result in zip(before, again, strict=True):
        assert line["tags"] == result["tags"]
        assert [entity["score"] for entity in line["entities"]] == pytest.approx(
            [entity["score"] for entity in result["entities"]], abs=1e-4
        )
    classifier = Predictor.from_run(runs["classification"], precision="fp32")
    for line in lines(runs["classification"]):
        (result,) = classifier([line["text"]])
        assert result["label"] == line["label"]
        assert result["score"] == pytest.approx(line["score"], abs=1e-4)
        assert sum(result["scores"].values()) == pytest.approx(1)


@pytest.mark.parametrize("task", ["ner", "classification"])
def test_calibration_changes_scores_and_no_answer(
    task: str, runs: dict[str, Path], tmp_path: Path
) -> None:
    plain = Predictor.from_run(copy_with(runs[task], tmp_path / "plain", None))
    sure = Predictor.from_run(runs[task])
    rows = [{"words": s.split()} if task == "ner" else {"text": s} for s in ("Ada left Rome", "x")]
    ours, theirs = list(sure.predict(rows)), list(plain.predict(rows))
    assert [one.answers for one in ours] == [one.answers for one in theirs]
    assert ours != theirs
    assert plain.calibration is None


@pytest.mark.parametrize("task", ["ner", "classification"])
def test_the_report_says_how_far_scores_can_be_trusted(task: str, runs: dict[str, Path]) -> None:
    metrics = json.loads((runs[task] / "metrics.json").read_text("utf-8"))
    found = metrics["splits"]["test"]["confidence"]
    assert found["answers"] == sum(each["answers"] for each in found["calibrated"]["bins"])
    for kind in ("model", "calibrated"):
        assert 0 <= found[kind]["ece"] <= 1
        assert found[kind]["ece_by_chance"] > 0
    assert "Confidence" in (runs[task] / "report.md").read_text("utf-8")


@pytest.mark.parametrize(
    "broken",
    [
        [],
        "sharp",
        {},
        {"slope": 0},
        {"slope": float("nan")},
        {"shift": "x"},
        {"types": {"PER": float("inf")}},
        {"curve": {"scores": [0.5], "kept": [3, 4], "right": [2], "expected": [2]}},
        {"curve": {"scores": [0.5, 0.9], "kept": [3, 4], "right": [2, 2], "expected": [2, 2]}},
        {"curve": {"scores": [0.5], "kept": [3], "right": [4], "expected": [2]}},
        {"curve": {"scores": [], "kept": [], "right": [], "expected": []}},
        {"more": 1},
    ],
)
def test_a_damaged_calibration_is_refused(
    broken: object, nlpt: Run, runs: dict[str, Path], tmp_path: Path
) -> None:
    whole = said(runs["ner"])["calibration"]
    changed = {**whole, **broken} if isinstance(broken, dict) and broken else broken
    model = copy_with(runs["ner"], tmp_path / "model", changed)
    code, out, err = nlpt("predict", model, "-", stdin="Ada left Rome\n")
    assert (code, out) == (2, "")
    assert "config.json" in err
    assert "nlp_transfer" in err


def test_only_what_is_sure_enough_is_kept(nlpt: Run, runs: dict[str, Path], tmp_path: Path) -> None:
    curve = said(runs["ner"])["calibration"]["curve"]
    reached = PrecisionCurve.model_validate(curve).best()
    assert reached
    text = tmp_path / "in.txt"
    text.write_text("Ada left Rome today\nZoë Wei praised Acme Corp.\n" * 5, encoding="utf-8")
    code, out, err = nlpt("predict", runs["ner"], text, "--min-precision", f"{reached[0] - 1e-4}")
    assert code == 0
    assert "keeps answers with a score of" in err
    assert "95 % interval" in err
    least = reached[1].score
    everything = [json.loads(line) for line in nlpt("predict", runs["ner"], text)[1].splitlines()]
    for line, whole in zip(map(json.loads, out.splitlines()), everything, strict=True):
        kept = [entity for entity in whole["entities"] if entity["score"] >= least]
        assert line["entities"] == kept
        assert [(e["type"], e["start_word"]) for e in kept] == [
            (span.type, span.first) for span in spans(line["tags"])
        ]
    sure = Predictor.from_run(runs["ner"], min_precision=reached[0] - 1e-4)
    assert sure.bounds is not None
    assert sure.bounds.least_score is not None


def test_a_label_that_is_not_sure_enough_is_null(
    nlpt: Run, runs: dict[str, Path], tmp_path: Path
) -> None:
    whole = said(runs["classification"])["calibration"]
    # As if only scores above 0.999999 were right often enough.
    curve = {
        "scores": [0.999999, 0.1], "kept": [40, 60], "right": [40, 20], "expected": [40, 40],
    }  # fmt: skip
    model = copy_with(runs["classification"], tmp_path / "strict", {**whole, "curve": curve})
    code, out, _ = nlpt("predict", model, "-", "--min-precision", "0.95", stdin="where is it\n")
    assert code == 0
    result = json.loads(out)
    assert result["label"] is None
    assert result["score"] == max(result["scores"].values()) < 0.999999
    assert set(result["scores"]) == set(CLASSES)
    code, out, _ = nlpt(
        "predict", model, "-", "--min-precision", "0.95", "--to", "csv", stdin="where is it\n"
    )
    assert code == 0
    assert out.splitlines()[1].startswith('"where is it","",')


def test_what_cannot_be_promised_is_refused(
    nlpt: Run, runs: dict[str, Path], tmp_path: Path
) -> None:
    run = runs["ner"]
    plain = copy_with(run, tmp_path / "plain", None)
    for arguments, message in (
        ((run, "-", "--min-precision", "1.5"), "no share between 0 and 1"),
        ((run, "-", "--min-precision", "0"), "no share between 0 and 1"),
        ((run, "-", "--min-precision", "nan"), "no share between 0 and 1"),
        ((run, "-", "--min-precision", "0.9999"), "The highest that can be had is"),
        ((plain, "-", "--min-precision", "0.9"), "does not say how sure its scores are"),
        ((run, run, "-", "--min-precision", "0.9"), "Name one MODEL"),
    ):
        code, out, err = nlpt("predict", *arguments, stdin="Ada left Rome\n")
        assert (code, out) == (2, ""), arguments
        assert message in err
    few = {**said(run)["calibration"]}
    few["curve"] = {"scores": [0.5], "kept": [12], "right": [12], "expected": [12]}
    with pytest.raises(UserError, match="only 12 answers"):
        Predictor.from_run(copy_with(run, tmp_path / "few", few), min_precision=0.9)


def test_several_models_together_are_not_calibrated(runs: dict[str, Path]) -> None:
    one = Ensemble.from_runs([runs["ner"]])
    two = Ensemble.from_runs([runs["ner"], runs["ner"]])
    assert one.calibration == Predictor.from_run(runs["ner"]).calibration
    assert two.calibration is None


def test_a_mixture_of_models_keeps_no_calibration_of_one(
    nlpt: Run, runs: dict[str, Path], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    changed = {**said(runs["ner"])["calibration"], "shift": -2.5}
    copy_with(runs["ner"], other, changed)
    assert nlpt("merge", runs["ner"], other, "-o", tmp_path / "soup")[0] == 0
    kept = json.loads((tmp_path / "soup" / "config.json").read_text("utf-8"))["nlp_transfer"]
    assert "calibration" not in kept
    assert nlpt("merge", other, other, "-o", tmp_path / "same")[0] == 0
    kept = json.loads((tmp_path / "same" / "config.json").read_text("utf-8"))["nlp_transfer"]
    assert kept["calibration"]["shift"] == -2.5


@pytest.mark.slow
def test_an_export_is_calibrated_as_its_model(nlpt: Run, runs: dict[str, Path]) -> None:
    assert nlpt("export", runs["ner"])[0] == 0
    ours = Predictor.from_run(runs["ner"], precision="fp32")
    theirs = Predictor.from_run(runs["ner"], engine="onnx")
    assert theirs.calibration == ours.calibration
    (a,), (b,) = ours(["Ada left Rome today"]), theirs(["Ada left Rome today"])
    assert [e["score"] for e in a["entities"]] == pytest.approx(
        [e["score"] for e in b["entities"]], abs=1e-4
    )
