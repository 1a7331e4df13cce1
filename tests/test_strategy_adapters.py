"""Adapters: what learns, what the configuration says, and that merging changes no prediction."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from damaging import made_by_hand
from interrupting import interrupted
from safetensors.torch import load_file
from steps import built
from tiny import FAMILIES, write_recipe
from transformers import AutoConfig, AutoTokenizer, BertModel, set_seed

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.inference.adapters import Adapters

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]
SHORT = {"epochs": 1, "arguments": {"max_steps": 2}}
# transformers 5.24 gave it another name, which peft 0.21 does not know.
TAKES_PREFIX = "past_key_values" in signature(BertModel.forward).parameters
needs_prefix = pytest.mark.skipif(not TAKES_PREFIX, reason="peft does not know this transformers")


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
        model = built(recipe).loaded.model
        found = [getattr(module, "scaling", None) for module in model.modules()]
        scales = {scaling["default"] for scaling in found if isinstance(scaling, dict)}
        assert scales == {scale}


def test_ranks_by_pattern_are_those_of_the_modules(tiny_recipe: Recipes) -> None:
    strategy = {
        "name": "lora",
        "rank": 4,
        "alpha": 8,
        "rank_pattern": {r"layer\.1\..*query": 2},
        "alpha_pattern": {"value": 12},
    }
    recipe = load_recipe(str(tiny_recipe(strategy=strategy)))
    model = built(recipe).loaded.model
    scales = {
        name.split("encoder.")[-1]: (module.r["default"], module.scaling["default"])
        for name, module in model.named_modules()
        if hasattr(module, "lora_A") and "attention.self" in name
    }
    assert scales["layer.0.attention.self.query"] == (4, 2)
    assert scales["layer.1.attention.self.query"] == (2, 4)
    assert scales["layer.1.attention.self.value"] == (4, 3)


def test_family_that_ia3_does_not_know_is_asked_for_its_modules(
    tiny_recipe: Recipes, checkpoint: Callable[..., Path]
) -> None:
    path = tiny_recipe(strategy="ia3", checkpoint=checkpoint("distilbert"))
    with pytest.raises(UserError, match=r"'distilbert'.*target_modules.*feedforward_modules"):
        _built(path)
    given = {"target_modules": ["k_lin", "v_lin", "lin2"], "feedforward_modules": ["lin2"]}
    _built(tiny_recipe(strategy={"name": "ia3", **given}, checkpoint=checkpoint("distilbert")))


def test_ia3_merges_where_the_head_has_several_layers(
    tiny_recipe: Recipes, checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    path = tiny_recipe(
        "classification", strategy="ia3", checkpoint=checkpoint("roberta"), training=SHORT
    )
    finetune(load_recipe(str(path)), output=tmp_path / "run")
    merged, apart = (
        [answer["scores"] for answer in Predictor.from_run(folder, precision="fp32")(["my parcel"])]
        for folder in (tmp_path / "run", tmp_path / "run" / "adapter")
    )
    assert merged[0] == pytest.approx(apart[0], abs=1e-5)


# Soft prompts


@pytest.mark.parametrize("task", ["ner", "classification"])
@pytest.mark.parametrize(
    "section",
    [{}, {"init": "vocabulary"}, pytest.param({"kind": "prefix"}, marks=needs_prefix)],
    ids=["prompt", "init", "prefix"],
)
def test_virtual_tokens_learn_while_the_checkpoint_stays_as_it_is(
    section: dict[str, Any], task: str, tiny_recipe: Recipes, tmp_path: Path
) -> None:
    strategy = {"name": "prompt", "tokens": 5, **section}
    path = tiny_recipe(task, strategy=strategy, training={"learning_rate": 0.01})
    before = _learning(path)
    finetune(load_recipe(str(path)), output=tmp_path / "run")
    weights = load_file(tmp_path / "run" / "model" / "adapter_model.safetensors")
    width = 32 if not section.get("kind") else 2 * 2 * 32  # keys and values of two layers
    assert weights["prompt_embeddings"].shape == (5, width)
    assert not weights["prompt_embeddings"].equal(before["prompt_encoder.default.embedding.weight"])
    head = sum(tensor.numel() for name, tensor in weights.items() if "classifier" in name)
    assert sum(tensor.numel() for tensor in before.values()) == 5 * width + head


def _learning(path: Path) -> dict[str, Any]:
    recipe = load_recipe(str(path))
    set_seed(recipe.training.seed)
    model = built(recipe).loaded.model
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("kind", ["prompt", pytest.param("prefix", marks=needs_prefix)])
def test_a_prompt_that_was_cut_off_goes_on(kind: str, tiny_recipe: Recipes, tmp_path: Path) -> None:
    by_steps = {"eval_strategy": "steps", "eval_steps": 3, "save_strategy": "steps"}
    path = tiny_recipe(
        strategy={"name": "prompt", "tokens": 5, "kind": kind},
        training={"epochs": 3, "arguments": {**by_steps, "save_steps": 3}},
    )
    recipe = load_recipe(str(path))
    finetune(recipe, output=tmp_path / "whole")
    with interrupted(at_step=5), pytest.raises(KeyboardInterrupt):
        finetune(recipe, output=tmp_path / "cut")
    finetune(recipe, output=tmp_path / "cut")
    whole, cut = (
        load_file(tmp_path / run / "model" / "adapter_model.safetensors")
        for run in ("whole", "cut")
    )
    assert all(cut[name].equal(tensor) for name, tensor in whole.items())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_be_prompted_and_a_prefix_is_refused_where_it_cannot(
    family: str, tiny_recipe: Recipes, checkpoint: Callable[..., Path]
) -> None:
    start = checkpoint(family)
    _built(tiny_recipe(strategy={"name": "prompt", "tokens": 5}, checkpoint=start))
    prefix = tiny_recipe(
        strategy={"name": "prompt", "tokens": 5, "kind": "prefix"}, checkpoint=start
    )
    if TAKES_PREFIX and family in ("bert", "roberta", "electra", "xlm-roberta", "camembert"):
        _built(prefix)
        return
    with pytest.raises(UserError, match=f"kind: prefix does not work with a '{family}' model"):
        _built(prefix)


def test_a_prompt_cannot_be_merged(
    tiny_recipe: Recipes, tmp_path: Path, nlpt: Callable[..., tuple[int, str, str]]
) -> None:
    path = tiny_recipe(strategy={"name": "prompt", "tokens": 5}, training=SHORT)
    finetune(load_recipe(str(path)), output=tmp_path / "run")
    code, _, error = nlpt("merge", tmp_path / "run", "-o", tmp_path / "merged")
    assert code == 2
    assert "soft prompt" in error
    assert not (tmp_path / "merged").exists()


# Several adapters on one base

BOTH = ("--adapter", "{names}", "--adapter", "{topics}")


@pytest.fixture(scope="module")
def adapter_runs(
    tmp_path_factory: pytest.TempPathFactory,
    data_folder: Callable[[str], Path],
    checkpoint: Callable[..., Path],
) -> dict[str, Path]:
    """Train an adapter of every kind, of either task, on the same base."""
    folder = tmp_path_factory.mktemp("adapters")
    wanted = {
        "names": ("ner", {"name": "lora", "rank": 4}),
        "topics": ("classification", {"name": "lora", "rank": 2, "merge": False}),
        "scaled": ("ner", {"name": "ia3"}),
        "prompted": ("ner", {"name": "prompt", "tokens": 5}),
    }
    for name, (task, strategy) in wanted.items():
        path = write_recipe(
            folder / f"{name}.yaml",
            task=task,
            data=data_folder(task),
            checkpoint=checkpoint("bert"),
            strategy=strategy,
            training={"learning_rate": 0.02, "epochs": 1},
        )
        finetune(load_recipe(str(path)), output=folder / name)
    return {name: folder / name for name in wanted}


def test_adapters_on_one_base_answer_as_each_alone_does(
    adapter_runs: dict[str, Path], tiny_bert: Path
) -> None:
    items = [{"text": "Ada Lovelace left Rome"}, {"text": "I want my money back"}]
    adapters = Adapters.load(str(tiny_bert), list(adapter_runs.values()), precision="fp32")
    together = list(adapters(items))
    for name, run in adapter_runs.items():
        for one, many in zip(
            Predictor.from_run(run, precision="fp32")(items), together, strict=True
        ):
            found = many["adapters"][name]
            if "tags" in one:
                assert found["tags"] == one["tags"]
            else:
                assert found["scores"] == pytest.approx(one["scores"], abs=1e-5)
    weights = [
        next(p for n, p in predictor.loaded.model.named_parameters() if "word_embeddings" in n)
        for predictor in adapters.predictors.values()
    ]
    assert all(weight is weights[0] for weight in weights)  # in memory once


@pytest.mark.parametrize("place", ["names/adapter", "scaled/adapter", "topics/model"])
def test_a_folder_on_disk_loads_by_the_auto_class_of_transformers(
    place: str, adapter_runs: dict[str, Path]
) -> None:
    name, _, inside = place.partition("/")
    folder = adapter_runs[name] / inside
    ours = Predictor.from_run(folder, precision="fp32").loaded
    auto_class = load_recipe(str(adapter_runs[name])).task.head.auto_class
    config = AutoConfig.from_pretrained(folder / "model_config.json")
    assert config.id2label == ours.model.config.id2label
    batch = AutoTokenizer.from_pretrained(folder)("Ada left Rome", return_tensors="pt")
    for options in ({"config": config}, {"num_labels": config.num_labels}):
        theirs = auto_class.from_pretrained(folder, **options).eval()
        with torch.inference_mode():
            torch.testing.assert_close(theirs(**batch).logits, ours.model(**batch).logits)


def test_an_adapter_of_an_earlier_version_is_read(
    adapter_runs: dict[str, Path], tmp_path: Path
) -> None:
    run = adapter_runs["names"]
    copy = made_by_hand(shutil.copytree(run / "adapter", tmp_path / "adapter"))
    (copy / "model_config.json").rename(copy / "config.json")
    assert scores(copy) == scores(run / "adapter")


def test_predict_writes_the_answers_of_one_adapter_or_of_all(
    adapter_runs: dict[str, Path], tiny_bert: Path, nlpt: Callable[..., tuple[int, str, str]]
) -> None:
    text, names, topics = "Ada Lovelace left Rome\n", adapter_runs["names"], adapter_runs["topics"]
    code, one, said = nlpt("predict", tiny_bert, "-", "--adapter", names, stdin=text)
    assert (code, said) == (0, "")
    assert one == nlpt("predict", names, "-", stdin=text)[1]
    both = ("--adapter", names, "--adapter", topics / "adapter")
    code, out, _ = nlpt("predict", tiny_bert, "-", *both, stdin=text)
    assert code == 0
    line = json.loads(out)
    assert line["text"] == text.strip()
    assert line["adapters"]["names"]["tags"] == json.loads(one)["tags"]
    assert "label" in line["adapters"]["topics"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{other}", "-", "--adapter", "{names}"], "the base of"),
        (["{base}", "-", "--adapter", "{base}"], "holds no adapter"),
        (["{base}", "-", "--adapter", "nowhere"], "holds no adapter"),
        (["{base}", "-", "--adapter", "{names}", "--adapter", "{names}"], "same name"),
        (["{base}", "{base}", "-", "--adapter", "{names}"], "one MODEL"),
        (
            ["{base}", "-", "--adapter", "{names}", "--adapter", "{topics}", "--to", "conll"],
            "jsonl",
        ),
    ],
)
def test_adapters_that_do_not_fit_are_refused(
    arguments: list[str],
    message: str,
    adapter_runs: dict[str, Path],
    checkpoint: Callable[..., Path],
    nlpt: Callable[..., tuple[int, str, str]],
) -> None:
    places = {**adapter_runs, "base": checkpoint("bert"), "other": checkpoint("roberta")}
    filled = [argument.format(**places) for argument in arguments]
    code, out, error = nlpt("predict", *filled, stdin="Ada\n")
    assert (code, out) == (2, "")
    assert message in error


def test_ia3_learns_one_vector_a_module_and_the_head(tiny_recipe: Recipes) -> None:
    recipe = load_recipe(str(tiny_recipe(strategy="ia3")))
    model = built(recipe).loaded.model
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
            "no module 'nokey'",
        ),
        ({"name": "lora", "target_modules": ["nokey"]}, "no module 'nokey'"),
        ({"name": "lora", "target_modules": ["query", "vlaue"]}, "'vlaue'.*value"),
        ({"name": "lora", "rank_pattern": {"nokey": 2}}, "rank_pattern: 'nokey' is the end of no"),
        ({"name": "lora", "target_modules": ["query"], "alpha_pattern": {"key": 2}}, "alpha_p"),
        ({"name": "lora", "rank_pattern": {"(": 2}}, "no regular expression"),
        ({"name": "lora", "rank_pattern": {"key": 0}}, "rank_pattern"),
        ({"name": "prompt", "tokens": 20}, "behind 20 virtual tokens reads at most 44"),
        ({"name": "prompt", "kind": "prefix", "init": "vocabulary"}, "starts at random"),
    ],
)
def test_modules_that_are_not_there_are_refused(
    strategy: Any, message: str, tiny_recipe: Recipes
) -> None:
    path = tiny_recipe(strategy=strategy)
    with pytest.raises(UserError, match=message):
        _built(path)


def _built(path: Path) -> None:
    recipe = load_recipe(str(path))
    built(recipe)
