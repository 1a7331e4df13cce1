"""Sets of labels that hold the right one as often as is asked."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from damaging import made_by_hand
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tiny import texts_with_classes, write_csv, write_data, write_recipe

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.metrics.conformal import MOST, PERCENTS, LabelSets

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
figures = st.lists(st.floats(0, 50), min_size=1, max_size=15, unique_by=lambda s: round(s, 2))
coverages = st.floats(0.05, 0.99)


def asked(texts, coverage):
    """Count the texts that have to be in their sets."""
    return max(1, math.ceil(texts * coverage - 1e-9))


def sets_of(found):
    """Learn from texts of which the model finds the right label so unlikely."""
    unlikely = np.asarray(found, float)[:, None]
    return LabelSets.of(-unlikely, np.zeros(len(unlikely), int))


@settings(max_examples=40, deadline=None)
@given(figures, coverages)
def test_of_exchangeable_texts_as_many_as_asked_are_in_their_sets(found, coverage):
    """Each in turn is the new text and the others are validation: every draw is as likely."""
    if asked(len(found), coverage) >= len(found):
        return
    inside = [
        value <= sets_of(found[:i] + found[i + 1 :]).bound(coverage)
        for i, value in enumerate(found)
    ]
    assert sum(inside) == asked(len(found), coverage)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5 * MOST), coverages, st.integers(0, 2**32 - 1))
def test_bounded_figures_never_promise_too_much_and_give_little_more(texts, coverage, seed):
    found = np.random.default_rng(seed).random(texts) * 9
    kept = sets_of(found)
    assert len(kept.surprises) <= MOST
    assert kept.allows(coverage) == (asked(texts + 1, coverage) <= texts)
    if not kept.allows(coverage):
        return
    inside = int((found <= kept.bound(coverage)).sum())
    assert asked(texts + 1, coverage) <= inside <= asked(texts + 1, coverage) + texts / MOST + 1
    assert LabelSets.model_validate_json(kept.model_dump_json()) == kept


def test_the_interval_holds_the_share_of_right_sets_in_95_of_100_splits():
    rng = np.random.default_rng(0)
    drawn = [sets_of(rng.random(200)) for _ in range(300)]
    low, high = drawn[0].interval95(0.9)
    held = sum(low <= sets.bound(0.9) <= high for sets in drawn)  # of uniform figures: the share
    assert 0.92 <= held / 300 <= 0.98


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 6),
    st.integers(10, 400),
    st.floats(0.1, 5),
    st.floats(0.5, 0.95),
    st.integers(0, 2**32 - 1),
)
def test_sets_of_a_classifier_cover_validation_as_asked_and_say_how_large_they_are(
    labels: int, texts: int, sure: float, coverage: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, sure, (texts, labels))
    found = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    right = rng.integers(0, labels, texts)
    sets = LabelSets.of(found, right)
    if not sets.allows(coverage):
        return
    inside = -found <= sets.bound(coverage)
    assert inside[np.arange(texts), right].sum() >= asked(texts + 1, coverage)
    at = PERCENTS.index(90)
    if sets.allows(0.9):
        assert sets.sizes[at] == pytest.approx((-found <= sets.bound(0.9)).sum(1).mean(), abs=1e-4)
    assert "labels on average" in sets.described(0.9)


@pytest.mark.parametrize(
    "damage",
    [
        {"surprises": [0.1]},
        {"surprises": [0.2, 0.1]},
        {"surprises": [0.1, math.inf]},
        {"surprises": [0.1, math.nan]},
        {"surprises": [-0.1, 0.2]},
        {"texts": 0, "surprises": []},
        {"texts": 10**30, "surprises": [0.1]},
        {"sizes": [1.0]},
        {"empty": [-1.0] * len(PERCENTS)},
    ],
)
def test_figures_that_nlpt_did_not_write_are_refused(damage):
    whole = sets_of([0.1, 0.2]).model_dump()
    assert LabelSets.model_validate(whole)
    with pytest.raises(ValidationError):
        LabelSets.model_validate({**whole, **damage})


@pytest.fixture(scope="module")
def sure(
    tmp_path_factory: pytest.TempPathFactory, checkpoint: Callable[..., Path]
) -> tuple[Path, Path]:
    """Train on three classes, every fourth text with another's label: recipe, run."""
    data = tmp_path_factory.mktemp("sure") / "data"
    write_data(data, "classification")
    for split, count in {"train": 60, "validation": 80, "test": 80}.items():
        rows = texts_with_classes(count, seed=count + len(split))
        mixed = [(t, "praise" if i % 4 == 0 else name) for i, (t, name) in enumerate(rows)]
        write_csv(data / f"{split}.csv", mixed)
    recipe = write_recipe(
        data.with_suffix(".yaml"),
        task="classification",
        data=data,
        checkpoint=checkpoint("bert"),
        strategy="full",
        training={"epochs": 3},
    )
    run = data.parent / "run"
    finetune(load_recipe(str(recipe)), output=run)
    return recipe, run


def test_predict_gives_sets_that_hold_the_right_label(sure: tuple[Path, Path], nlpt: Run) -> None:
    _, run = sure
    lines = [json.loads(line) for line in (run / "predictions.jsonl").open()]
    text = "\n".join(line["text"] for line in lines)
    code, out, err = nlpt("predict", run, "-", "--coverage", "0.9", stdin=text)
    assert code == 0, err
    assert "--coverage 0.9: sets hold the right label of 90.0 %" in err
    found = [json.loads(line) for line in out.splitlines()]
    inside = [line["gold"][0] in one["set"] for line, one in zip(lines, found, strict=True)]
    assert 0.75 <= sum(inside) / len(inside) <= 1
    for one in found:
        scores = [one["scores"][name] for name in one["set"]]
        assert scores == sorted(scores, reverse=True)
        assert not scores or one["set"][0] == one["label"]
    narrow = list(Predictor.from_run(run, coverage=0.5)([line["text"] for line in lines]))
    assert all(set(n["set"]) <= set(w["set"]) for n, w in zip(narrow, found, strict=True))
    assert "set" not in next(Predictor.from_run(run)(["my parcel"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--coverage", "1"], "no share between 0 and 1"),
        (["--coverage", "nan"], "no share between 0 and 1"),
        (["--coverage", "90"], "no share between 0 and 1"),
        (["--coverage", "0.999"], "promise no more than 0.97"),
        (["--coverage", "0.9", "--to", "csv"], "jsonl, not csv"),
    ],
)
def test_a_coverage_that_cannot_be_promised_is_refused(
    options: list[str], message: str, sure: tuple[Path, Path], nlpt: Run
) -> None:
    code, out, err = nlpt("predict", sure[1], "-", *options, stdin="my parcel\n")
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())


def test_several_models_and_uncalibrated_ones_have_no_sets(
    sure: tuple[Path, Path], tmp_path: Path, nlpt: Run
) -> None:
    _, run = sure
    code, _, err = nlpt("predict", run, run, "-", "--coverage", "0.9", stdin="my parcel\n")
    assert code == 2
    assert "--coverage: no validation split" in " ".join(err.split())
    older = made_by_hand(shutil.copytree(run / "model", tmp_path / "older"))
    config = json.loads((older / "config.json").read_text())
    del config["nlp_transfer"]["calibration"]["sets"]
    (older / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="earlier version"):
        Predictor.from_run(older, coverage=0.9)
    del config["nlp_transfer"]["calibration"]
    (older / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="trained elsewhere"):
        Predictor.from_run(older, coverage=0.9)


def test_entities_have_no_sets(trained_ner: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained_ner, tmp_path / "run")
    file = made_by_hand(run) / "model" / "config.json"
    config = json.loads(file.read_text())
    curve = {"scores": [0.9, 0.5], "kept": [20, 40], "right": [19, 30], "expected": [18.5, 31.0]}
    calibration = {"slope": 1.0, "shift": 0.0, "types": {}, "curve": curve}
    config["nlp_transfer"]["calibration"] = calibration
    file.write_text(json.dumps(config))
    with pytest.raises(UserError, match="--min-precision"):
        Predictor.from_run(run, coverage=0.9)
