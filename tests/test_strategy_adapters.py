"""Adapters: what learns, what the configuration says, and that merging changes no prediction."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.pipeline import needed_splits
from nlp_transfer.training.material import prepare

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]
SHORT = {"epochs": 1, "arguments": {"max_steps": 2}}


def scores(folder: Path) -> list[Any]:
    items = [{"tokens": ["Ada", "left", "Rome"]}, {"tokens": ["Globex"]}]
    rows = Predictor.from_run(folder, precision="fp32").predict(
        [{"words": item["tokens"]} for item in items]
    )
    return [row.scores for row in rows]


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ({"name": "lora", "rank": 4, "dora": True}, {"use_dora": True}),
        ({"name": "lora", "rank": 4, "rslora": True}, {"use_rslora": True}),
        ({"name": "ia3"}, {"peft_type": "IA3"}),
    ],
)
def test_adapter_is_what_the_recipe_says_and_merges_into_the_same_model(
    strategy: Any, said: Any, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    path = tiny_recipe(strategy=strategy, training={**SHORT, "learning_rate": 0.05})
    finetune(load_recipe(str(path)), output=tmp_path / "run")
    config = json.loads((tmp_path / "run" / "adapter" / "adapter_config.json").read_text("utf-8"))
    assert said.items() <= config.items()
    merged, apart = scores(tmp_path / "run"), scores(tmp_path / "run" / "adapter")
    for left, right in zip(merged, apart, strict=True):
        assert left == pytest.approx(right, abs=1e-5)


def test_scale_of_rslora_is_over_the_root_of_the_rank(tiny_recipe: Recipes) -> None:
    for rslora, scale in ((False, 8 / 4), (True, 8 / 2)):
        strategy = {"name": "lora", "rank": 4, "alpha": 8, "rslora": rslora}
        recipe = load_recipe(str(tiny_recipe(strategy=strategy)))
        model = prepare(recipe, needed_splits(recipe)).loaded.model
        found = [getattr(module, "scaling", None) for module in model.modules()]
        scales = {scaling["default"] for scaling in found if isinstance(scaling, dict)}
        assert scales == {scale}


def test_ia3_learns_one_vector_a_module_and_the_head(tiny_recipe: Recipes) -> None:
    recipe = load_recipe(str(tiny_recipe(strategy="ia3")))
    model = prepare(recipe, needed_splits(recipe)).loaded.model
    learning = {name: p.numel() for name, p in model.named_parameters() if p.requires_grad}
    head = sum(count for name, count in learning.items() if "classifier" in name)
    # In each of two layers: key, value, and the inputs of attention.output and output.
    assert sum(learning.values()) - head == 2 * (32 + 32 + 32 + 64)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ({"name": "ia3", "target_modules": ["key"]}, "give both"),
        (
            {"name": "ia3", "target_modules": ["key"], "feedforward_modules": ["dense"]},
            "must be among target_modules",
        ),
        (
            {"name": "ia3", "target_modules": ["nokey"], "feedforward_modules": ["nokey"]},
            "strategies ia3: target_modules does not fit",
        ),
        ({"name": "lora", "target_modules": ["nokey"]}, "strategies lora: target_modules does not"),
    ],
)
def test_modules_that_are_not_there_are_refused(
    strategy: Any, message: str, tiny_recipe: Recipes
) -> None:
    path = tiny_recipe(strategy=strategy)
    with pytest.raises(UserError, match=message):
        _prepared(path)


def _prepared(path: Path) -> None:
    recipe = load_recipe(str(path))
    prepare(recipe, needed_splits(recipe))
