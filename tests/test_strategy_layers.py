"""Strategies that treat layers apart: those that learn later, those that start anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from interrupting import Weights, interrupted, watched_weights
from safetensors.torch import load_file
from steps import built
from tiny import FAMILIES
from transformers import TrainerState

from nlp_transfer import finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.strategies.parts.unfreezing import unfrozen_stages

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]
Checkpoints = Callable[..., Path]
PARTS = ("embeddings", "layer.0.", "layer.1.", "classifier")


# Gradual unfreezing


@pytest.mark.parametrize("strategy", ["gradual_unfreezing", "by steps"])
def test_weights_move_from_the_step_on_at_which_their_layer_is_due(
    strategy: str, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    chosen = {"name": "gradual_unfreezing"} | ({"until": 1.0} if strategy == "by steps" else {})
    training = {"epochs": 4, "tokens_per_batch": 400, "weight_decay": 0.5, "warmup": 0}
    with watched_weights() as seen:
        _run(tiny_recipe(strategy=chosen, training=training), tmp_path / "run")
    total = len(seen) - 1
    assert total % 4 == 0
    for number, part in enumerate(PARTS):
        first = (3 - number) * total // 4 if strategy == "gradual_unfreezing" else None
        if first is None:
            first = -(-(3 - number) * total // 3)  # three stages below the head, rounded up
        names = [name for name in seen[0] if part in name]
        for name in names:
            still = [seen[step][name].equal(seen[0][name]) for step in range(total + 1)]
            assert all(still[: first + 1]), (name, first)
            assert first == total or not still[-1], name


@pytest.mark.parametrize(
    ("step", "stages"), [(0, 0), (9, 0), (10, 1), (19, 1), (40, 4), (50, 5), (99, 9)]
)
def test_layers_join_at_equal_distances(step: int, stages: int) -> None:
    state = TrainerState(global_step=step, max_steps=100, epoch=3.9)
    assert unfrozen_stages(0.5, 5, state) == stages
    assert unfrozen_stages(None, 5, state) == 3


@pytest.mark.parametrize("until", [None, 0.5])
def test_unfreezing_goes_on_where_it_was(
    until: float | None, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    by_steps = {"eval_strategy": "steps", "eval_steps": 3, "save_strategy": "steps"}
    recipe = tiny_recipe(
        strategy=[{"name": "gradual_unfreezing", "until": until}, "layerwise_lr"],
        training={"epochs": 3, "arguments": {**by_steps, "save_steps": 3}},
    )
    whole = _run(recipe, tmp_path / "whole")
    with interrupted(at_step=5), pytest.raises(KeyboardInterrupt):
        _run(recipe, tmp_path / "cut")
    cut = _run(recipe, tmp_path / "cut")
    assert all(cut[name].equal(tensor) for name, tensor in whole.items())


# Re-initialisation


@pytest.mark.parametrize("family", FAMILIES)
def test_top_layer_starts_anew_and_nothing_else(
    family: str, checkpoint: Checkpoints, tiny_recipe: Recipes
) -> None:
    start = checkpoint(family)
    plain = _built(tiny_recipe(checkpoint=start, strategy="full"))
    drawn = _built(tiny_recipe(checkpoint=start, strategy="reinit"))
    again = _built(tiny_recipe(checkpoint=start, strategy="reinit"))
    other = _built(tiny_recipe(checkpoint=start, strategy="reinit", training={"seed": 7}))
    top = "layer_groups.0." if family == "albert" else ".1."
    assert all(again[name].equal(tensor) for name, tensor in drawn.items())
    for name, tensor in drawn.items():
        if top not in name:
            assert tensor.equal(plain[name]), name
        elif tensor.ndim == 2:
            assert not tensor.equal(plain[name]), name
            assert not tensor.equal(other[name]), name
            assert 0.005 < tensor.std() < 0.03, name  # initializer_range is 0.02
        else:
            assert tensor.unique().numel() == 1, name  # biases are 0, norms 1


# What is refused


@pytest.mark.parametrize(
    ("strategies", "message"),
    [
        (["gradual_unfreezing", "full"], "'full' and 'gradual_unfreezing' both decide which"),
        ([{"name": "gradual_unfreezing", "until": 0}], r"gradual_unfreezing\.until"),
        ([{"name": "gradual_unfreezing", "until": 1.5}], r"gradual_unfreezing\.until"),
        ([{"name": "reinit", "layers": 0}], r"reinit\.layers"),
        (["reinit", "frozen"], "'reinit' and 'frozen' do not work together"),
    ],
)
def test_bad_recipes_are_refused(strategies: Any, message: str, tiny_recipe: Recipes) -> None:
    with pytest.raises(UserError, match=message):
        load_recipe(str(tiny_recipe(strategy=strategies)))


def test_more_layers_than_the_checkpoint_has_are_refused(tiny_recipe: Recipes) -> None:
    with pytest.raises(UserError, match="reinit: layers is 3, this checkpoint has 2"):
        _built(tiny_recipe(strategy={"name": "reinit", "layers": 3}))


def _run(path: Path, folder: Path) -> Weights:
    finetune(load_recipe(str(path)), output=folder)
    return load_file(folder / "model" / "model.safetensors")


def _built(path: Path) -> Weights:
    """Return the weights before the first step."""
    recipe = load_recipe(str(path))
    return dict(built(recipe).loaded.model.state_dict())
