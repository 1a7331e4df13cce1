"""Heads that are fitted at once: what they answer, what learns beside them, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interrupting import interrupted
from safetensors.torch import load_file
from test_processes import LAUNCHERS, _launch
from tiny import TRAINED_HEAD, write_csv
from torch import nn

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.flows.dry_run import dry_run
from nlp_transfer.strategies.context import LabelledInputs, OutputLayer
from nlp_transfer.strategies.parts.fitted_head import fit_output_layer
from nlp_transfer.tasks.objective import IGNORED
from nlp_transfer.training.heads import drawn_windows

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]
Checkpoints = Callable[..., Path]
AT_ONCE = {"learning_rate": 1e-9, "warmup": 0, "epochs": 1, "tokens_per_batch": 4096}
"""A training after which weights are what they were before it, to rounding."""


def _run(recipe: Path, folder: Path, *overrides: str) -> dict[str, Any]:
    finetune(load_recipe(str(recipe), list(overrides)), output=folder)
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text("utf-8"))
    return metrics


def _weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


@pytest.fixture
def short_texts(tmp_path: Path) -> Path:
    """Write texts of one window each."""
    folder = tmp_path / "texts"
    folder.mkdir()
    words = {"order": "parcel", "refund": "money", "praise": "great"}
    rows = [(f"{word} {n} {word}", name) for n in range(8) for name, word in words.items()]
    for split in ("train", "validation", "test"):
        write_csv(folder / f"{split}.csv", rows if split == "train" else rows[:9])
    return folder


# What a head answers


@pytest.mark.parametrize("family", ["bert", "roberta", "modernbert", "distilbert"])
def test_a_fitted_head_answers_as_the_regression_it_is(
    family: str, tmp_path: Path, short_texts: Path, tiny_recipe: Recipes, checkpoint: Checkpoints
) -> None:
    start = checkpoint(family)
    recipe = tiny_recipe("classification", source=short_texts, checkpoint=start, strategy="frozen")
    training = _run(recipe, tmp_path / "run")["training"]
    assert (training["steps"], training["epochs"], training["best_step"]) == (0, 0, 0)
    assert training["seconds"] >= training["evaluation_seconds"] >= 0
    found = training["strategies"]["frozen"]
    assert found["items"] == 24
    # A text is one item here, so that both figures are of the same answers.
    assert training["best_validation"] == pytest.approx(found["validation_f1"], abs=1e-4)
    before, after = load_file(start / "model.safetensors"), _weights(tmp_path / "run")
    prefix = next(name for name in after if name.endswith("embeddings.weight")).partition(".")[0]
    kept = {name: after.get(f"{prefix}.{name}", after.get(name)) for name in before}
    assert all(kept[n].equal(before[n]) for n in before if kept[n] is not None), "encoder as it was"
    written = [json.loads(line) for line in (tmp_path / "run" / "predictions.jsonl").open()]
    again = list(
        Predictor.from_run(tmp_path / "run", precision="fp32")(
            [{"text": row["text"]} for row in written]
        )
    )
    assert [row["label"] for row in again] == [row["label"] for row in written]


@pytest.mark.parametrize("task", ["ner", "classification", "multi_label"])
def test_a_probe_starts_where_a_frozen_run_ends(
    task: str, tmp_path: Path, tiny_recipe: Recipes, multi_label_data: Path
) -> None:
    several = task == "multi_label"
    name, source = ("classification", multi_label_data) if several else (task, None)
    overrides = ["task.multi_label=true", "data.columns={text: text, label: labels}"][: 2 * several]
    fitted = tiny_recipe(name, source=source, strategy="frozen")
    one = _run(fitted, tmp_path / "frozen", *overrides)
    probe = tiny_recipe(name, source=source, strategy="linear_probe", training=AT_ONCE)
    two = _run(probe, tmp_path / "probe", *overrides)
    assert one["training"]["strategies"]["frozen"] == two["training"]["strategies"]["linear_probe"]
    left, right = _weights(tmp_path / "frozen"), _weights(tmp_path / "probe")
    assert all(left[name].allclose(right[name], atol=1e-6) for name in left)
    assert two["training"]["steps"] > 0


@pytest.fixture
def multi_label_data(tmp_path: Path) -> Path:
    """Write texts with any number of labels; one of them only validation has."""
    folder = tmp_path / "several"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        rows = [
            {"text": f"{'parcel ' * (n % 2)}{'money ' * (n % 3)}here", "labels": labels}
            for n in range(12)
            if (labels := ["late"] * (n % 2) + ["price"] * bool(n % 3)) is not None
        ]
        if split == "validation":
            rows[0]["labels"] = ["unheard"]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    return folder


def test_adapters_and_side_tasks_have_their_heads_fitted_too(
    tmp_path: Path, tiny_recipe: Recipes, classification_data: Path
) -> None:
    side = {"task": {"name": "classification"}, "data": {"source": str(classification_data)}}
    many = {"name": "multi_task", "side_tasks": {"topics": side}}
    training = _run(tiny_recipe(strategy=[many, "frozen"]), tmp_path / "many")["training"]
    found = training["strategies"]["frozen"]
    assert found["items"] > found["tasks"]["topics"]["items"] >= 48
    assert training["steps"] == 0
    assert training["trainable_parameters"] == 32 * 7 + 7 + 32 * 3 + 3
    lora = {"name": "lora", "merge": False}
    adapted = _run(tiny_recipe(strategy=[lora, "linear_probe"], training=AT_ONCE), tmp_path / "one")
    assert adapted["training"]["strategies"]["linear_probe"]["c"] == found["c"]


def test_an_interrupted_run_keeps_what_its_probe_found(
    tmp_path: Path, tiny_recipe: Recipes
) -> None:
    recipe = tiny_recipe("classification", strategy={"name": "linear_probe", "c": 0.5})
    whole = _run(recipe, tmp_path / "whole")["training"]
    with interrupted(at_step=whole["steps"] - 1), pytest.raises(KeyboardInterrupt):
        _run(recipe, tmp_path / "cut")
    cut = _run(recipe, tmp_path / "cut")["training"]
    assert cut["strategies"] == whole["strategies"]
    assert cut["strategies"]["linear_probe"]["c"] == 0.5
    left, right = _weights(tmp_path / "cut"), _weights(tmp_path / "whole")
    assert all(left[name].equal(right[name]) for name in left)


def test_a_dry_run_of_a_fitted_head_has_no_steps(tiny_recipe: Recipes) -> None:
    found = dry_run(load_recipe(str(tiny_recipe(strategy="frozen"))))
    assert found.steps == 0
    assert dry_run(load_recipe(str(tiny_recipe(strategy="linear_probe")))).steps > 0


@pytest.mark.slow
def test_two_processes_fit_the_head_of_one(tmp_path: Path, tiny_recipe: Recipes) -> None:
    recipe = tiny_recipe("ner", strategy="frozen")
    alone = json.loads(_launch([], recipe, tmp_path / "one"))
    together = json.loads(_launch(LAUNCHERS["torchrun"], recipe, tmp_path / "two"))
    assert together["training"]["world_size"] == 2
    ours, theirs = (run["training"]["strategies"]["frozen"] for run in (together, alone))
    assert (ours["items"], ours["c"]) == (theirs["items"], theirs["c"])
    # Sums in another order end the regression at another place near its optimum, where an answer
    # that is next to a border may be another one: of some 30 entities.
    assert ours["validation_f1"] == pytest.approx(theirs["validation_f1"], abs=0.04)
    overall = [run["splits"]["test"]["entity"]["overall"] for run in (alone, together)]
    assert overall[0]["support"] == overall[1]["support"]
    assert overall[0]["f1"] == pytest.approx(overall[1]["f1"], abs=0.04)


# Few examples, or none


@pytest.mark.parametrize("strategy", ["frozen", "linear_probe"])
def test_one_example_a_class_is_learned_and_a_class_without_any_is_said(
    strategy: str,
    tmp_path: Path,
    short_texts: Path,
    tiny_recipe: Recipes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write_csv(short_texts / "train.csv", [("parcel", "order"), ("money back", "refund")])
    labels = ["order", "refund", "praise", "other"]
    recipe = tiny_recipe("classification", source=short_texts, strategy=strategy, training=AT_ONCE)
    training = _run(recipe, tmp_path / "run", f"task.classes={labels}")["training"]
    assert training["strategies"][strategy]["labels_without_examples"] == 2
    assert "no training example of praise, other" in caplog.text
    lines = (tmp_path / "run" / "predictions.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["label"] for line in lines} <= {"order", "refund"}


def _layer(labels: list[int] | list[list[int]], outputs: int, *, bias: bool = True) -> OutputLayer:
    inputs = np.random.default_rng(0).normal(size=(len(labels), 5)).astype(np.float32)
    items = LabelledInputs(inputs, np.array(labels, dtype=np.int64), np.ones(len(labels)))
    return OutputLayer(
        nn.Linear(5, outputs, bias=bias), list(map(str, range(outputs))), None, lambda _: items
    )


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.booleans())
def test_labels_without_an_example_are_never_the_likeliest(labels: list[int], bias: bool) -> None:
    layer = _layer(labels, 5, bias=bias)
    fit_output_layer(layer, c=1.0, name="x")
    logits = layer.module(torch.from_numpy(layer.read("train").inputs))
    assert logits.isfinite().all()
    if bias:
        assert set(logits.argmax(dim=1).tolist()) <= set(labels)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.lists(st.sampled_from([0, 1, IGNORED]), min_size=3, max_size=3), min_size=1))
def test_yes_or_no_labels_are_fitted_each_by_itself(labels: list[list[int]]) -> None:
    layer = _layer(labels, 3)
    fit_output_layer(layer, c=None, name="x")
    logits = layer.module(torch.from_numpy(layer.read("train").inputs))
    assert logits.isfinite().all()
    for label in range(3):
        given_to = {row[label] for row in labels} - {IGNORED}
        if given_to != {0, 1}:
            assert (logits[:, label] > 0).all() == (given_to == {1})


# Which windows are read


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from("OABC"), max_size=4), min_size=1), st.integers(1, 40))
def test_windows_are_drawn_of_each_class_and_weigh_as_in_the_whole(
    classes: list[list[str]], most: int
) -> None:
    drawn = drawn_windows(classes, most=most)
    assert drawn == drawn_windows(classes, most=most)
    assert list(drawn) == sorted(drawn)
    size = sum(max(1, len(classes[number])) for number in drawn)
    assert size <= most or len(drawn) == 1
    assert sum(drawn.values()) == pytest.approx(len(drawn))
    if sum(max(1, len(names)) for names in classes) <= most:
        assert drawn == dict.fromkeys(range(len(classes)), 1.0)


def test_a_rare_class_is_read_where_only_some_windows_are() -> None:
    classes = [["O", "O"]] * 1000 + [["O", "B-RARE"]]
    drawn = drawn_windows(classes, most=20)
    assert 1000 in drawn
    assert len(drawn) == 10
    assert drawn[1000] * 1000 == pytest.approx(sum(drawn.values()) - drawn[1000], rel=0.01)


# What is refused


@pytest.mark.parametrize(
    ("strategies", "message"),
    [
        (["frozen", "r_drop"], "'r_drop' has no effect beside 'frozen'.*head: trained"),
        (["frozen", "layerwise_lr"], "'layerwise_lr' has no effect beside 'frozen'"),
        (["frozen", "linear_probe"], "'linear_probe' has no effect beside 'frozen'"),
        ([{"name": "frozen", "layers": 1, "head": "fitted"}], "head: fitted is for a wholly"),
        ([{"name": "frozen", "layers": 1, "head": "trained"}], "Leave one of them out"),
        ([{"name": "linear_probe", "c": 0}], r"linear_probe\.c"),
        (
            ["linear_probe", {"name": "intermediate_task", "head": "matched"}],
            "head: matched is lost where 'linear_probe' fits the head",
        ),
    ],
)
def test_what_would_have_no_effect_is_refused(
    strategies: Any, message: str, tiny_recipe: Recipes
) -> None:
    with pytest.raises(UserError, match=message):
        load_recipe(str(tiny_recipe(strategy=strategies)))


def test_keys_that_only_steps_depend_on_are_named(
    tmp_path: Path, tiny_recipe: Recipes, nlpt: Callable[..., tuple[int, str, str]]
) -> None:
    training = {"epochs": 50, "learning_rate": 1, "early_stopping": 2, "seed": 7}
    model = {"max_pieces": 48, "overlap": 4, "dropout": 0.2}
    path = tiny_recipe("classification", strategy="frozen", training=training, model=model)
    run = tmp_path / "run"
    code, _, err = nlpt("finetune", "--recipe", path, "--output", run)
    assert code == 0, err
    (line,) = [line for line in err.splitlines() if "not read:" in line]
    keys = "model.dropout, training.epochs, training.learning_rate, training.tokens_per_batch"
    assert f"not read: {keys}, training.early_stopping. The head is fitted" in line
    trained = "strategies=[{name: frozen, head: trained}]"
    code, _, err = nlpt("finetune", "--recipe", path, trained, "training.epochs=1", "--dry-run")
    assert (code, "not read" in err) == (0, False), err


def test_a_trained_head_goes_with_what_needs_steps(tiny_recipe: Recipes) -> None:
    for beside in ("r_drop", "linear_probe", "layerwise_lr"):
        load_recipe(str(tiny_recipe(strategy=[TRAINED_HEAD, beside])))


def test_one_class_alone_is_refused_before_any_time_is_spent(
    tmp_path: Path, short_texts: Path, tiny_recipe: Recipes
) -> None:
    write_csv(short_texts / "train.csv", [("parcel", "order"), ("box", "order")])
    recipe = tiny_recipe("classification", source=short_texts, strategy="frozen")
    with pytest.raises(UserError, match="order"):
        _run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()
