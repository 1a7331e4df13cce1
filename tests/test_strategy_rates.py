"""Layer-wise learning rates: what each layer of each family learns at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from steps import built
from tiny import FAMILIES
from torch import nn

from nlp_transfer import finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import Recipe

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]
LAYERWISE = {"name": "layerwise_lr", "decay": 0.5}
EMBEDDING_NAMES = ("embeddings", "embeddings_project", "embedding_hidden_mapping_in")


@pytest.mark.parametrize("family", FAMILIES)
def test_rate_halves_from_layer_to_layer_down_to_the_embeddings(
    family: str, tmp_path: Path, checkpoint: Callable[..., Path], tiny_recipe: Recipes
) -> None:
    path = tiny_recipe("classification", checkpoint=checkpoint(family), strategy=LAYERWISE)
    recipe = load_recipe(str(path), ["training.learning_rate=0.8"])
    model, rates = _rates(recipe, tmp_path)
    assert set(rates) == {name for name, _ in model.named_parameters()}
    layers = 1 if family == "albert" else 2  # ALBERT's layers share their weights
    for name, rate in rates.items():
        parts = name.split(".")
        numbers = [int(part) for part in parts[:-1] if part.isdigit()]
        if numbers:
            assert rate == pytest.approx(0.8 * 0.5 ** (layers - numbers[0])), name
        elif any(part in EMBEDDING_NAMES for part in parts) or "rel_embeddings" in parts:
            assert rate == pytest.approx(0.8 * 0.5 ** (layers + 1)), name
        else:
            assert rate == 0.8, name
    assert rates[next(name for name in rates if "word_emb" in name or "tok_emb" in name)] < 0.21
    assert all(rate == 0.8 for name, rate in rates.items() if name.startswith("classifier"))


@pytest.mark.parametrize("held", ["full", {"name": "frozen", "layers": 1}])
def test_rates_go_with_frozen_layers_and_a_rate_of_the_head(
    held: Any, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    path = tiny_recipe(strategy=[held, LAYERWISE], training={"learning_rate": 0.8})
    recipe = load_recipe(str(path), ["training.head_learning_rate=2"])
    model, rates = _rates(recipe, tmp_path)
    assert set(rates) == {name for name, p in model.named_parameters() if p.requires_grad}
    expected = {"classifier": 2, "layer.1.": 0.4, "layer.0.": 0.2, "embeddings": 0.1}
    for name, rate in rates.items():
        assert rate == pytest.approx(next(r for part, r in expected.items() if part in name)), name
    assert (held == "full") == any("layer.0." in name for name in rates)


def test_decay_of_one_is_the_plain_run(tmp_path: Path, tiny_recipe: Recipes) -> None:
    runs = []
    for strategy in ("full", {"name": "layerwise_lr", "decay": 1}):
        recipe = load_recipe(str(tiny_recipe(strategy=strategy, training={"epochs": 1})))
        runs.append(tmp_path / str(len(runs)))
        finetune(recipe, output=runs[-1])
    one, two = ((run / "model" / "model.safetensors").read_bytes() for run in runs)
    assert one == two


@pytest.mark.parametrize("decay", [0, -0.5, 1.01, "high", None])
def test_decay_out_of_range_is_refused(decay: Any, tiny_recipe: Recipes) -> None:
    path = tiny_recipe(strategy={"name": "layerwise_lr", "decay": decay})
    with pytest.raises(UserError, match=r"strategies\.0\.layerwise_lr\.decay"):
        load_recipe(str(path))


def test_rates_of_layers_that_do_not_learn_are_refused(tiny_recipe: Recipes) -> None:
    path = tiny_recipe(strategy=[LAYERWISE, "lora"])
    with pytest.raises(UserError, match="'lora' and 'layerwise_lr' do not work together"):
        load_recipe(str(path))


def _rates(recipe: Recipe[Any, Any], folder: Path) -> tuple[nn.Module, dict[str, float]]:
    """Return the model, and the learning rate of every parameter that the optimizer has."""
    parts = built(recipe)
    groups = parts.trainer(folder / "checkpoints").create_optimizer().param_groups
    names = {parameter: name for name, parameter in parts.loaded.model.named_parameters()}
    rates = [(names[p], group["lr"]) for group in groups for p in group["params"]]
    assert len(rates) == len(dict(rates)), "each in exactly one group"
    return parts.loaded.model, dict(rates)
