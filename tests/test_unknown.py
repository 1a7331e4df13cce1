"""`task.unknown: auto`: texts of none of the classes are told by how far they lie from all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import CLASSES as NAMES
from tiny import FAMILIES, FIRST, LAST, texts_with_classes, write_csv, write_data, write_recipe
from transformers import AutoModelForSequenceClassification

from nlp_transfer import Predictor, evaluate, export, finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.metrics.unknown import UnknownFigures
from nlp_transfer.models.architecture import encoder
from nlp_transfer.models.build import NewHead, build_model
from nlp_transfer.models.features import features_behind_logits
from nlp_transfer.models.hostile import KNOWN_FILE
from nlp_transfer.models.known import Known
from nlp_transfer.recipe import ModelSection
from nlp_transfer.tasks.classification.decoding import Classification
from nlp_transfer.tasks.classification.task import ClassificationTask

pytestmark = pytest.mark.usefixtures("one_thread")

HIDDEN, CLASSES = 8, 4
TELLING = ["task.unknown=auto", "task.unknown_label=none"]
Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_tells_what_it_knows_behind_its_logits(
    family: str, checkpoint: Callable[..., Path]
) -> None:
    folder = checkpoint(family)
    head = NewHead(ClassificationTask().head.auto_class, ("a", "b", "c"))
    loaded = build_model(folder, head, ModelSection(checkpoint=str(folder), max_pieces=48))
    model = loaded.model.eval()
    batch = loaded.tokenizer(
        ["Ada visited Rome", "a refund for the parcel , please"], padding=True, return_tensors="pt"
    )
    inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    with torch.no_grad():
        logits, states = model(**inputs).logits, encoder(model)(**inputs)[0]
        with features_behind_logits(model):
            behind = model(**inputs).logits
        assert model(**inputs).logits.shape == (2, 3)
    mask = inputs["attention_mask"].bool()
    mean = torch.stack([own[read].mean(0) for own, read in zip(states, mask, strict=True)])
    assert behind[:, :3] == pytest.approx(logits, abs=1e-5)
    assert behind[:, 3] == pytest.approx(logits.logsumexp(-1), abs=1e-5)
    assert behind[:, 4:] == pytest.approx(mean / mean.norm(dim=-1, keepdim=True), abs=1e-5)


def known_texts(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw texts near the corners that their classes lie at, the energy before the features."""
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.arange(count) % CLASSES)
    features = np.eye(HIDDEN)[classes] + rng.normal(0, 0.15, (count, HIDDEN))
    return np.column_stack([rng.normal(5, 1, count), _scaled(features)]), classes


def strange_texts(count: int, seed: int) -> np.ndarray:
    """Draw texts near other corners, less sure."""
    rng = np.random.default_rng(seed)
    corners = np.eye(HIDDEN)[CLASSES + np.arange(count) % (HIDDEN - CLASSES)]
    features = corners + rng.normal(0, 0.15, (count, HIDDEN))
    return np.column_stack([rng.normal(3, 1, count), _scaled(features)])


def _scaled(features: np.ndarray) -> np.ndarray:
    return features / np.linalg.norm(features, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def known() -> Known:
    train, classes = known_texts(120, 0)
    return Known.fit(train, classes, known_texts(200, 1)[0], keep=0.95)


def test_texts_far_from_all_classes_are_strange(known: Known) -> None:
    usual = known.strangeness(known_texts(500, 2)[0])
    strange = known.strangeness(strange_texts(500, 3))
    figures = UnknownFigures.of(
        np.concatenate([usual, strange]),
        np.concatenate([usual, strange]) > known.threshold,
        np.arange(1000) >= 500,
    )
    assert figures.known_kept == pytest.approx(0.95, abs=0.03)
    assert (figures.auroc or 0) > 0.99
    assert (figures.unknown_caught or 0) > 0.95


@settings(max_examples=30, deadline=None)
@given(st.integers(5, 300), st.floats(0.5, 0.99), st.integers(0, 2**32 - 1))
def test_the_threshold_keeps_the_share_of_validation_that_is_asked(
    count: int, keep: float, seed: int
) -> None:
    train, classes = known_texts(40, seed)
    validation = known_texts(count, seed + 1)[0]
    fitted = Known.fit(train, classes, validation, keep=keep)
    kept = int((fitted.strangeness(validation) <= fitted.threshold).sum())
    assert kept == min(count, int(np.ceil((count + 1) * keep - 1e-9)))


@pytest.mark.parametrize("texts", [2, 4])
def test_a_text_or_two_a_class_are_enough_to_compute(texts: int) -> None:
    train, classes = known_texts(texts, 0)
    fitted = Known.fit(train, classes, known_texts(1, 1)[0], keep=0.95)
    assert np.isfinite(fitted.strangeness(strange_texts(5, 2))).all()


def test_what_is_known_is_read_as_it_was_saved(known: Known, tmp_path: Path) -> None:
    known.save(tmp_path)
    read = Known.read(tmp_path, HIDDEN, "MODEL")
    assert read is not None
    for part in fields(known):
        assert (getattr(read, part.name) == getattr(known, part.name)).all(), part.name
    assert Known.read(tmp_path / "elsewhere", HIDDEN, "MODEL") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda known: replace(known, middle=np.full(HIDDEN, np.nan)),
        lambda known: replace(known, spread=np.eye(HIDDEN + 1)),
        lambda known: replace(known, classes=np.zeros((0, HIDDEN))),
        lambda known: replace(known, threshold=np.zeros(2)),
        lambda known: replace(known, examples=np.zeros((90_000, HIDDEN))),
    ],
)
def test_a_damaged_file_is_refused(
    damage: Callable[[Known], Known], known: Known, tmp_path: Path
) -> None:
    damage(known).save(tmp_path)
    with pytest.raises(UserError, match=KNOWN_FILE):
        Known.read(tmp_path, HIDDEN, "MODEL")


def test_a_torn_file_is_refused(known: Known, tmp_path: Path) -> None:
    known.save(tmp_path)
    file = tmp_path / KNOWN_FILE
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(UserError, match="Copy"):
        Known.read(tmp_path, HIDDEN, "MODEL")


def test_figures_without_any_unknown_text_are_those_of_the_known() -> None:
    figures = UnknownFigures.of(np.array([0.0, 3.0]), np.array([False, True]), np.zeros(2, bool))
    assert figures.as_dict() == {
        "known": 2,
        "unknown": 0,
        "known_kept": 0.5,
        "unknown_caught": None,
        "auroc": None,
        "caught_at_95": None,
    }
    assert UnknownFigures.read(figures.as_dict()) == figures
    assert [value for _, value in figures.cells()] == ["0.5000"]


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory, checkpoint: Callable[..., Path]
) -> tuple[Path, Path]:
    """Train on three classes with task.unknown, test texts of none among them: data, run."""
    data = tmp_path_factory.mktemp("told") / "data"
    write_data(data, "classification")
    write_csv(data / "validation.csv", texts_with_classes(60, seed=7))
    none = [(f"{first} {last} .", "none") for first, last in zip(FIRST, LAST, strict=True)]
    write_csv(data / "test.csv", [*texts_with_classes(30, seed=8), *none])
    recipe = write_recipe(
        data.with_suffix(".yaml"),
        task="classification",
        data=data,
        checkpoint=checkpoint("bert"),
        strategy="full",
        training={"epochs": 4},
    )
    run = data.parent / "run"
    finetune(load_recipe(str(recipe), TELLING), output=run)
    return recipe, run


def test_a_run_tells_texts_of_none_of_its_classes(told: tuple[Path, Path], nlpt: Run) -> None:
    _, run = told
    assert (run / "model" / KNOWN_FILE).is_file()
    lines = [json.loads(line) for line in (run / "predictions.jsonl").open()]
    figures = json.loads((run / "metrics.json").read_text())["splits"]["test"]["unknown"]
    kept = [line["label"] is not None for line in lines if line["gold"]]
    caught = [line["label"] is None for line in lines if not line["gold"]]
    assert (figures["known"], figures["unknown"]) == (len(kept), len(caught)) == (30, 7)
    assert figures["known_kept"] == pytest.approx(sum(kept) / 30)
    assert figures["unknown_caught"] == pytest.approx(sum(caught) / 7)
    assert sum(kept) > 24
    assert sum(caught) > 4
    assert all((line["label"] is None) == (line["unknown"] > 0) for line in lines)
    assert all(line["score"] == max(line["scores"].values()) for line in lines)
    labels = json.loads((run / "model" / "config.json").read_text())["id2label"].values()
    assert set(labels) == set(NAMES)
    text = "\n".join(line["text"] for line in lines)
    code, out, err = nlpt("predict", run, "-", "--precision", "fp32", stdin=text)
    assert code == 0, err
    again = [json.loads(line) for line in out.splitlines()]
    assert [one["label"] for one in again] == [line["label"] for line in lines]
    assert [one["unknown"] for one in again] == pytest.approx([n["unknown"] for n in lines], 1e-2)
    assert nlpt("predict", run, "-", "--to", "csv", stdin=text)[0] == 0


def test_transformers_loads_the_model_as_before(told: tuple[Path, Path]) -> None:
    _, run = told
    model = AutoModelForSequenceClassification.from_pretrained(run / "model")
    assert model.config.num_labels == 3


def test_evaluate_scores_texts_of_none_of_the_classes(told: tuple[Path, Path]) -> None:
    recipe, run = told
    found = evaluate(run, recipe=load_recipe(str(recipe), TELLING)).metrics["splits"]["test"]
    written = json.loads((run / "metrics.json").read_text())["splits"]["test"]
    assert found["unknown"] == pytest.approx(written["unknown"], abs=0.02)


def test_several_models_do_not_tell_together(told: tuple[Path, Path], nlpt: Run) -> None:
    code, _, err = nlpt("predict", told[1], told[1], "-", stdin="hello\n")
    assert code == 2
    assert "task.unknown" in err


@pytest.mark.slow
def test_an_export_tells_them_too(told: tuple[Path, Path], tmp_path: Path) -> None:
    _, run = told
    folder, _ = export(run, output=tmp_path / "onnx")
    texts = [json.loads(line)["text"] for line in (run / "predictions.jsonl").open()]
    exported = list(Predictor.from_run(folder)(texts))
    own = list(Predictor.from_run(run, precision="fp32")(texts))
    assert [one["label"] for one in exported] == [one["label"] for one in own]
    strange = [one["unknown"] for one in own]
    assert [one["unknown"] for one in exported] == pytest.approx(strange, abs=1e-3)


def test_an_adapter_keeps_what_it_knows(
    told: tuple[Path, Path], tmp_path: Path, checkpoint: Callable[..., Path]
) -> None:
    recipe, _ = told
    lora = "strategies=[{name: lora, rank: 4, merge: false}]"
    run = tmp_path / "lora"
    finetune(load_recipe(str(recipe), [*TELLING, lora, "training.epochs=1"]), output=run)
    lines = [json.loads(line) for line in (run / "predictions.jsonl").open()]
    for folder in (run, run / "adapter"):
        assert (folder if folder != run else run / "model").joinpath(KNOWN_FILE).is_file()
        again = Predictor.from_run(folder, precision="fp32")([line["text"] for line in lines])
        strange = [line["unknown"] for line in lines]
        assert [one["unknown"] for one in again] == pytest.approx(strange, abs=0.02)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["task.unknown=auto", "task.multi_label=true"], "multi-label"),
        (["task.known_kept=0.9"], "task.unknown=auto"),
        (["task.unknown_label=none"], "task.unknown=auto"),
        (["task.unknown=often"], "auto"),
        (["task.unknown=auto", "task.known_kept=1"], "below 1"),
    ],
)
def test_keys_that_make_no_sense_are_refused(
    overrides: list[str], message: str, told: tuple[Path, Path]
) -> None:
    with pytest.raises(UserError, match=message):
        load_recipe(str(told[0]), overrides)


def test_nothing_is_learned_from_texts_of_none_of_the_classes(
    told: tuple[Path, Path], tmp_path: Path
) -> None:
    overrides = ["task.unknown=auto", "task.unknown_label=refund"]
    with pytest.raises(UserError, match=r"train\.csv:\d+: .*unknown_label 'refund'"):
        finetune(load_recipe(str(told[0]), overrides), output=tmp_path / "run")


def test_files_with_texts_of_no_class_can_be_compared_and_looked_through(
    told: tuple[Path, Path],
) -> None:
    lines = [json.loads(line) for line in (told[1] / "predictions.jsonl").open()]
    judged = [ClassificationTask().judge.judge(line, "") for line in lines]
    right = [line["gold"] == ([] if line["label"] is None else [line["label"]]) for line in lines]
    assert [one.right for one in judged] == right
    assert len(ClassificationTask().error_analysis.examples(lines).examples) == len(lines)


def test_a_text_of_no_class_is_learned_as_none() -> None:
    additions = ClassificationTask().additions
    assert additions.confidence(Classification((), {"a": 0.9, "b": 0.1})) == 0
    assert additions.confidence(Classification(("a",), {"a": 0.9, "b": 0.1})) == 0.9
