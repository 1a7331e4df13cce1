"""What is kept of a run: averages of its checkpoints, and models between it and its start."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from interrupting import Weights, interrupted, watched_weights
from safetensors.torch import load_file
from scripted import scripted

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.strategies.parts.weights import weighted_sum
from nlp_transfer.tasks.ner.decoding import Tagging

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]


# The arithmetic


def test_weighted_sum_is_the_sum_of_the_shares() -> None:
    generator = torch.Generator().manual_seed(0)
    parts = [
        {"w": torch.randn(3, 4, generator=generator), "ids": torch.arange(5)} for _ in range(3)
    ]
    shares = [0.2, 0.5, 0.3]
    total = weighted_sum(parts, shares)
    expected = sum(share * part["w"] for part, share in zip(parts, shares, strict=True))
    assert total["w"].dtype == torch.float32
    assert torch.allclose(total["w"], expected, atol=1e-6)
    assert total["ids"].equal(torch.arange(5)), "integer buffers are copied"


def test_share_of_one_gives_the_weights_bit_by_bit() -> None:
    part = {"w": torch.tensor([0.1, -0.0, 1e-40])}
    other = {"w": torch.tensor([float("nan"), 1.0, float("inf")])}
    total = weighted_sum([part, other], [1.0, 0.0])
    assert total["w"].view(torch.int32).equal(part["w"].view(torch.int32))


# average_checkpoints


@pytest.mark.parametrize(
    ("choose", "scores", "chosen"),
    [("last", [0.1, 0.9, 0.2, 0.3], [2, 3]), ("best", [0.5, 0.9, 0.5, 0.3], [0, 1])],
)
def test_average_is_the_mean_of_the_chosen_evaluations(
    choose: str,
    scores: list[float],
    chosen: list[int],
    tmp_path: Path,
    tiny_recipe: Recipes,
) -> None:
    path = tiny_recipe(strategy=_averaging(count=2, choose=choose), training={"epochs": 4})
    run = tmp_path / "run"
    with watched_weights() as seen:
        finetune(scripted(path, [*scores, 0.9, 0.91]), output=run)  # the last: best and average
    kept = _weights(run)
    steps = [(number + 1) * _metrics(run)["steps"] // 4 for number in chosen]
    for name, tensor in kept.items():
        mean = torch.stack([seen[step][name] for step in steps]).mean(0)
        assert torch.allclose(tensor, mean, atol=1e-7), name
    assert not kept["classifier.weight"].equal(seen[steps[1]]["classifier.weight"])
    assert _metrics(run)["strategies"]["average_checkpoints"] == {
        "steps": steps,
        "validation": 0.91,
        "validation_of_best_checkpoint": 0.9,
        "kept": True,
    }
    assert not (run / "checkpoints").exists()


@pytest.mark.parametrize("only_if_better", [True, False])
def test_worse_average_is_kept_only_on_request(
    only_if_better: bool,
    tmp_path: Path,
    tiny_recipe: Recipes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tiny_recipe(strategy=_averaging(count=2, only_if_better=only_if_better))
    run = tmp_path / "run"
    with caplog.at_level(logging.INFO, logger="nlp_transfer"), watched_weights() as seen:
        finetune(scripted(path, [0.1, 0.9, 0.9, 0.4]), output=run)
    best = seen[-1]["classifier.weight"]
    assert _weights(run)["classifier.weight"].equal(best) is only_if_better
    assert _metrics(run)["strategies"]["average_checkpoints"]["kept"] is not only_if_better
    assert "0.4000 for the average, 0.9000 for the best checkpoint" in caplog.text


@pytest.mark.parametrize("choose", ["last", "best"])
@pytest.mark.parametrize("at_step", [1, -1], ids=["early", "late"])
def test_interrupted_run_ends_with_the_same_average(
    choose: str,
    at_step: int,
    tmp_path: Path,
    tiny_recipe: Recipes,
    trained: Recipes,
) -> None:
    strategy = _averaging(count=2, choose=choose, only_if_better=False)
    recipe = tiny_recipe(strategy=strategy, training={"epochs": 3})
    whole, cut = trained(recipe), tmp_path / "cut"
    with interrupted(at_step=at_step % _metrics(whole)["steps"]), pytest.raises(KeyboardInterrupt):
        _run(recipe, cut)
    assert RunFolder(cut).state() == "unfinished"
    _run(recipe, cut)
    assert _same(_weights(cut), _weights(whole))
    assert _metrics(cut)["strategies"] == _metrics(whole)["strategies"]


def test_only_as_many_copies_lie_on_disk_as_count_says(
    tmp_path: Path, tiny_recipe: Recipes
) -> None:
    a_step_an_epoch = {"epochs": 4, "tokens_per_batch": 10_000}
    recipe = tiny_recipe(strategy=_averaging(count=2), training=a_step_an_epoch)
    with interrupted(at_step=3), pytest.raises(KeyboardInterrupt):
        _run(recipe, tmp_path / "run")
    copies = list((tmp_path / "run" / "checkpoints" / "averaging").glob("step-*"))
    assert len(copies) == 2


def test_more_evaluations_than_the_run_has_are_refused_before_it(
    tmp_path: Path, tiny_recipe: Recipes
) -> None:
    with pytest.raises(UserError, match=r"count is 5, a run of 2 epochs has 2 evaluations"):
        _run(tiny_recipe(strategy=_averaging(count=5)), tmp_path / "run")
    none = {"arguments": {"eval_strategy": "no", "save_strategy": "no"}}
    recipe = tiny_recipe(strategy=_averaging(count=3), training={"epochs": 4, **none})
    with pytest.raises(UserError, match=r"count is 3, a run of 4 epochs has 0 evaluations"):
        _run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_early_stopped_run_averages_what_it_has(
    tmp_path: Path,
    tiny_recipe: Recipes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    training = {"epochs": 4, "early_stopping": 1}
    recipe = scripted(
        tiny_recipe(strategy=_averaging(count=3), training=training), [0.9, 0.1, 0.9, 0.9]
    )
    with caplog.at_level(logging.WARNING, logger="nlp_transfer"):
        finetune(recipe, output=tmp_path / "run")
    assert len(_metrics(tmp_path / "run")["strategies"]["average_checkpoints"]["steps"]) == 2
    assert "count is 3, the run had 2 evaluations" in caplog.text


# interpolate


def test_endpoint_zero_is_the_trained_model(
    tmp_path: Path, tiny_recipe: Recipes, trained: Recipes
) -> None:
    plain = trained(tiny_recipe())
    mixed = _run(tiny_recipe(strategy=_interpolating(0.0)), tmp_path / "mixed")
    assert _same(_weights(mixed), _weights(plain))


def test_endpoint_one_is_the_encoder_of_the_checkpoint_under_the_trained_head(
    tmp_path: Path, tiny_recipe: Recipes, tiny_bert: Path, trained: Recipes
) -> None:
    plain = trained(tiny_recipe())
    mixed = _weights(_run(tiny_recipe(strategy=_interpolating(1.0)), tmp_path / "mixed"))
    start = load_file(tiny_bert / "model.safetensors")
    for name, tensor in mixed.items():
        if name.startswith("classifier."):
            assert tensor.equal(_weights(plain)[name]), name
        else:
            assert tensor.equal(start[name.removeprefix("bert.")]), name


def test_weights_between_are_the_formula(
    tmp_path: Path, tiny_recipe: Recipes, tiny_bert: Path, trained: Recipes
) -> None:
    plain = _weights(trained(tiny_recipe()))
    mixed = _weights(_run(tiny_recipe(strategy=_interpolating(0.3)), tmp_path / "mixed"))
    assert "lambda: 0.3" in (tmp_path / "mixed" / "recipe.yaml").read_text("utf-8")
    start = load_file(tiny_bert / "model.safetensors")
    name = "encoder.layer.0.output.dense.weight"
    expected = 0.3 * start[name] + 0.7 * plain[f"bert.{name}"]
    assert torch.allclose(mixed[f"bert.{name}"], expected, atol=1e-7)


def test_share_is_chosen_on_validation_and_every_score_is_reported(
    tmp_path: Path, tiny_recipe: Recipes, trained: Recipes
) -> None:
    path, run = tiny_recipe(strategy=_interpolating(None, grid=[0, 0.5, 0.75])), tmp_path / "run"
    finetune(scripted(path, [0.1, 0.2, 0.5, 0.7, 0.7]), output=run)
    assert _metrics(run)["strategies"]["interpolate"] == {
        "lambda": 0.5,
        "validation": [
            {"lambda": 0.0, "score": 0.5},
            {"lambda": 0.5, "score": 0.7},
            {"lambda": 0.75, "score": 0.7},
        ],
    }, "the smaller of equals: nearer to what was learned"
    assert not _same(_weights(run), _weights(trained(tiny_recipe())))


@pytest.mark.parametrize("is_listed_first", [True, False])
def test_average_is_taken_first_and_moved_towards_the_source(
    is_listed_first: bool, tmp_path: Path, tiny_recipe: Recipes, tiny_bert: Path, trained: Recipes
) -> None:
    averaging = _averaging(count=2, only_if_better=False)
    averaged = _weights(trained(tiny_recipe(strategy=averaging)))
    mixing = {"name": "interpolate", "lambda": 0.5}
    strategies = [mixing, *averaging] if is_listed_first else [*averaging, mixing]
    mixed = _weights(_run(tiny_recipe(strategy=strategies), tmp_path / "mixed"))
    start = load_file(tiny_bert / "model.safetensors")
    name = "encoder.layer.0.output.dense.weight"
    expected = 0.5 * start[name] + 0.5 * averaged[f"bert.{name}"]
    assert torch.allclose(mixed[f"bert.{name}"], expected, atol=1e-7)
    assert mixed["classifier.weight"].equal(averaged["classifier.weight"])


def test_endpoint_one_of_a_source_run_predicts_as_it_does(
    tmp_path: Path, tiny_recipe: Recipes, trained: Recipes
) -> None:
    source = trained(tiny_recipe(training={"seed": 7}), "task.types=[PER,ORG,LOC]")
    strategy = _interpolating(1.0, source=str(source))
    run = _run(tiny_recipe(strategy=strategy), tmp_path / "run")
    first, second = Predictor.from_run(source), Predictor.from_run(run)
    assert first.labels != second.labels
    rows = [{"words": ["Ada", "Lovelace", "visited", "New", "York", "with", "Globex"]}]
    (expected,), (found,) = first.predict(rows), second.predict(rows)
    assert isinstance(expected, Tagging)
    assert isinstance(found, Tagging)
    assert found.tags == expected.tags
    assert found.scores == pytest.approx(expected.scores, abs=1e-6)


def test_source_that_does_not_fit_is_refused_before_the_run(
    tmp_path: Path, tiny_recipe: Recipes, checkpoint: Callable[..., Path], trained: Recipes
) -> None:
    texts = trained(tiny_recipe("classification"))
    one_layer = trained(tiny_recipe(checkpoint=checkpoint("bert", num_hidden_layers=1)))
    for source, message in (
        (tmp_path / "missing", "source: there is no model folder"),
        (texts, "is a model for classification with the labels"),
        (one_layer, r"not of one architecture: 16 weights differ, first bert\.encoder\.layer\.1"),
    ):
        recipe = tiny_recipe(strategy=_interpolating(0.5, source=str(source)))
        with pytest.raises(UserError, match=message):
            _run(recipe, tmp_path / "run")
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_share_outside_of_zero_to_one_is_refused(share: float, tiny_recipe: Recipes) -> None:
    with pytest.raises(UserError, match=r"interpolate\.lambda: must be"):
        load_recipe(str(tiny_recipe(strategy=_interpolating(share))))


@pytest.mark.parametrize("strategy", ["average_checkpoints", "interpolate"])
def test_adapters_are_not_mixed(strategy: str, tiny_recipe: Recipes) -> None:
    recipe = tiny_recipe(strategy=["lora", strategy])
    with pytest.raises(UserError, match=f"'lora' and '{strategy}' do not work together"):
        load_recipe(str(recipe))


def _averaging(**options: Any) -> list[Any]:
    return ["full", {"name": "average_checkpoints", **options}]


def _interpolating(share: float | None, **options: Any) -> list[Any]:
    return ["full", {"name": "interpolate", "lambda": share, **options}]


def _run(recipe: Path, run: Path) -> Path:
    finetune(load_recipe(str(recipe)), output=run)
    return run


def _weights(run: Path) -> Weights:
    return load_file(run / "model" / "model.safetensors")


def _metrics(run: Path) -> Any:
    return json.loads((run / "metrics.json").read_text("utf-8"))["training"]


def _same(first: Weights, second: Weights) -> bool:
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)
