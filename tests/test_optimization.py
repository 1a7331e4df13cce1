"""How it is optimised: optimizers, schedules, class weights, focal loss, balanced sampling."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from interrupting import interrupted
from safetensors.torch import load_file
from sklearn.utils.class_weight import compute_class_weight
from steps import built
from transformers.trainer_utils import SchedulerType

from nlp_transfer import finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import Schedule
from nlp_transfer.tasks.objective import IGNORED, Objective
from nlp_transfer.training.batching import TokenBatchSampler
from nlp_transfer.training.trainer import TransferTrainer

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]
LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.5, 0.0], [0.0, 0.0, 3.0]])


def trainer_of(path: Path, folder: Path, *overrides: str) -> TransferTrainer:
    return built(load_recipe(str(path), list(overrides))).trainer(folder / "checkpoints")


# The loss


def test_focal_loss_and_weights_follow_their_formula() -> None:
    targets = torch.tensor([0, 2, IGNORED])
    weights, gamma = (1.0, 2.0, 3.0), 2.0
    expected = 0.0
    for row, target in ((0, 0), (1, 2)):
        exponentials = [math.exp(value) for value in LOGITS[row].tolist()]
        probability = exponentials[target] / sum(exponentials)
        expected += weights[target] * (1 - probability) ** gamma * -math.log(probability)
    goal = Objective(focal_gamma=gamma, weights=weights)
    assert goal.cross_entropy(LOGITS, targets).item() == pytest.approx(expected, rel=1e-6)


def test_labels_of_a_multi_label_text_are_weighed_one_by_one() -> None:
    targets = torch.tensor([[1, 0, 1], [0, 0, 1], [IGNORED] * 3])
    weights, gamma = (1.0, 2.0, 3.0), 1.5
    expected = 0.0
    for row in range(2):
        for label in range(3):
            yes = 1 / (1 + math.exp(-LOGITS[row, label].item()))
            chance = yes if targets[row, label] else 1 - yes
            expected += weights[label] * (1 - chance) ** gamma * -math.log(chance)
    goal = Objective(focal_gamma=gamma, weights=weights)
    assert goal.binary_cross_entropy(LOGITS, targets).item() == pytest.approx(expected, rel=1e-5)


def test_plain_objective_is_the_cross_entropy_of_torch() -> None:
    targets = torch.tensor([0, 2, IGNORED])
    expected = torch.nn.functional.cross_entropy(
        LOGITS, targets, reduction="sum", label_smoothing=0.1
    )
    torch.testing.assert_close(Objective(smoothing=0.1).cross_entropy(LOGITS, targets), expected)


@pytest.mark.parametrize("task", ["ner", "classification"])
def test_balanced_weights_are_those_of_scikit_learn(
    task: str, tmp_path: Path, tiny_recipe: Recipes, ner_data: Path, classification_data: Path
) -> None:
    path = tiny_recipe(task, training={"class_weights": "balanced", "focal_gamma": 1.0})
    recipe = load_recipe(str(path))
    parts = built(recipe)
    if task == "ner":
        lines = (ner_data / "train.conll").read_text("utf-8").splitlines()
        words = [line for line in lines if line and "DOCSTART" not in line]
        seen = [line.split()[1].removeprefix("B-").removeprefix("I-") for line in words]
        by_output = ["O", "LOC", "LOC", "ORG", "ORG", "PER", "PER"]
    else:
        lines = (classification_data / "train.csv").read_text("utf-8").splitlines()[1:]
        seen = [line.rsplit(",", 1)[1] for line in lines]
        seen += [seen[1]] * (len(parts.data["train"].encoded.windows) - 48)  # of the long text
        by_output = ["order", "praise", "refund"]
    names = sorted(set(seen))
    weights = compute_class_weight("balanced", classes=np.array(names), y=np.array(seen))
    by_name = dict(zip(names, weights, strict=True))
    trainer = parts.trainer(tmp_path / "c")
    labels = torch.arange(len(by_output))
    logits = torch.randn(len(by_output), len(by_output), generator=torch.Generator().manual_seed(1))
    batch = {"labels": labels[None] if task == "ner" else labels}
    outputs = {"logits": logits[None] if task == "ner" else logits}
    probability = logits.softmax(-1).diagonal()
    each = torch.tensor([by_name[name] for name in by_output])
    expected = (each * (1 - probability) * -probability.log()).sum() / 7
    found = trainer.compute_loss_func(lambda _: outputs, batch, torch.tensor(7))
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_class_whose_name_looks_like_a_tag_keeps_its_name(
    tmp_path: Path, tiny_recipe: Recipes
) -> None:
    for split in ("train", "validation", "test"):
        rows = "".join(f"text {n},{'I-9' if n % 2 else 'B-9'}\n" for n in range(8))
        (tmp_path / f"{split}.csv").write_text(f"text,label\n{rows}", "utf-8")
    weights = {"class_weights": {"I-9": 3.0}}
    path = tiny_recipe("classification", source=tmp_path, training=weights)
    trainer = trainer_of(path, tmp_path / "run")
    logits = torch.zeros(2, 2)
    batch = {"labels": torch.tensor([0, 1])}  # B-9, I-9
    loss = trainer.compute_loss_func(lambda _: {"logits": logits}, batch, torch.tensor(1))
    assert loss.item() == pytest.approx((1 + 3) * math.log(2))


# Sampling


def test_balanced_sampling_draws_classes_alike_in_the_same_batches() -> None:
    lengths = [10] * 90 + [11] * 10
    weights = [1 / 80] * 80 + [1 / 20] * 20
    plain = TokenBatchSampler(lengths, tokens_per_batch=100, seed=1)
    drawn = TokenBatchSampler(lengths, tokens_per_batch=100, seed=1, weights=weights)
    counts: Counter[bool] = Counter()
    for epoch in range(200):
        batches = drawn.global_batches(epoch)
        assert sorted(map(len, batches)) == sorted(map(len, plain.global_batches(epoch)))
        counts.update(index >= 80 for batch in batches for index in batch if index < 90)
    # Of 90 windows of one length, 10 are of the rare class, at 4 times the weight.
    assert counts[True] / counts.total() == pytest.approx(10 * 4 / (80 + 10 * 4), abs=0.02)
    assert drawn.global_batches(3) == drawn.global_batches(3)


@pytest.mark.parametrize("task", ["ner", "classification"])
def test_run_with_balanced_sampling_learns(task: str, tmp_path: Path, tiny_recipe: Recipes) -> None:
    path = tiny_recipe(task, training={"sampling": "balanced", "epochs": 1})
    report = finetune(load_recipe(str(path)), output=tmp_path / "run")
    plain = finetune(load_recipe(str(path), ["training.sampling=all"]), output=tmp_path / "all")
    assert report.metrics["training"]["steps"] == plain.metrics["training"]["steps"]
    weights = [load_file(tmp_path / run / "model" / "model.safetensors") for run in ("run", "all")]
    assert not all(weights[0][name].equal(weights[1][name]) for name in weights[0])


# Optimizers and schedules


def test_all_schedules_of_transformers_are_offered() -> None:
    theirs = {schedule.value for schedule in SchedulerType} - {"greedy"}  # GreedyLR needs a loss
    assert set(get_args(Schedule)) == theirs | {"exponential", "step"}


OPTIMIZERS = {"adamw": 0, "adam": 0, "sgd": 0.9, "adagrad": 0, "rmsprop": 0.9}
"""Names, and their momentum."""


@pytest.mark.parametrize(("optimizer", "momentum"), OPTIMIZERS.items())
def test_optimizer_is_the_one_of_the_recipe(
    optimizer: str, momentum: float, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    path = tiny_recipe(training={"optimizer": optimizer, "momentum": momentum})
    trainer = trainer_of(path, tmp_path, "training.head_learning_rate=1e-2")
    created = trainer.create_optimizer()
    assert type(created).__name__.lower() == optimizer
    assert {group["lr"] for group in created.param_groups} == {1e-3, 1e-2}
    if momentum:
        assert {group["momentum"] for group in created.param_groups} == {0.9}


@pytest.mark.parametrize(
    "optimizer",
    # AdamW goes on in all other tests; each state is saved and read by PyTorch in one way.
    ["sgd", *(pytest.param(one, marks=pytest.mark.slow) for one in OPTIMIZERS if one != "sgd")],
)
def test_optimizer_goes_on_after_a_stop(
    optimizer: str, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    momentum = OPTIMIZERS[optimizer]
    path = tiny_recipe(training={"optimizer": optimizer, "momentum": momentum, "epochs": 2})
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    finetune(load_recipe(str(path)), output=whole)
    with interrupted(at_step=4), pytest.raises(KeyboardInterrupt):  # in the second epoch
        finetune(load_recipe(str(path)), output=cut)
    assert (cut / "checkpoints").is_dir()
    finetune(load_recipe(str(path)), output=cut)
    left, right = (load_file(run / "model" / "model.safetensors") for run in (whole, cut))
    assert all(left[name].equal(right[name]) for name in left)


@pytest.mark.parametrize(
    ("schedule", "arguments", "factor"),
    [
        ("exponential", {"decay": 0.5}, lambda step: 0.5 ** (step / 10)),
        ("step", {"decay": 0.1, "every": 2}, lambda step: 0.1 ** (step // 20)),
        ("linear", {}, lambda step: 1 - step / 30),
        ("constant", {}, lambda step: 1.0),
        ("cosine", {}, lambda step: (1 + math.cos(math.pi * step / 30)) / 2),
    ],
)
def test_schedule_follows_its_formula(
    schedule: str, arguments: Any, factor: Any, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    training = {"schedule": schedule, "schedule_arguments": arguments, "epochs": 3, "warmup": 0}
    trainer = trainer_of(tiny_recipe(training=training), tmp_path)
    optimizer = trainer.create_optimizer()
    scheduler = trainer.create_scheduler(30, optimizer)
    for step in range(30):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * factor(step), rel=1e-6)
        optimizer.step()
        scheduler.step()


def test_own_schedule_rises_in_warmup_and_a_run_ends_with_it(
    tmp_path: Path, tiny_recipe: Recipes
) -> None:
    training = {"schedule": "step", "warmup": 0.5, "arguments": {"logging_steps": 1}, "epochs": 2}
    finetune(load_recipe(str(tiny_recipe(training=training))), output=tmp_path / "run")
    lines = (tmp_path / "run" / "log.jsonl").read_text("utf-8").splitlines()
    rates = [json.loads(line)["learning_rate"] for line in lines if "learning_rate" in line]
    middle = len(rates) // 2
    assert rates[0] == 0
    assert rates[1 : middle + 1] == sorted(rates[1 : middle + 1])
    assert max(rates) == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"optimizer": "lion"}, "training.optimizer: .*'adamw'.*found 'lion'"),
        ({"schedule": "liner"}, "training.schedule: .*'linear'.*found 'liner'"),
        ({"momentum": 0.9}, "training.momentum: adamw has none, only sgd and rmsprop"),
        ({"optimizer": "sgd", "arguments": {"optim": "adafactor"}}, "Keep one"),
        ({"arguments": {"lr_scheduler_type": "cosine"}}, "use training.schedule"),
        ({"schedule": "step", "schedule_arguments": {"evry": 1}}, "no such argument .*every"),
        ({"schedule": "step", "schedule_arguments": {"every": 0}}, "must be a number above 0"),
        ({"class_weights": {"PRE": 2}}, r"no class 'PRE' \(O, LOC, ORG, PER\).*PER"),
        ({"class_weights": "balance"}, "class_weights"),
        ({"focal_gamma": -1}, "focal_gamma"),
    ],
)
def test_what_cannot_be_is_refused(
    training: Any, message: str, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    with pytest.raises(UserError, match=message):
        trainer_of(tiny_recipe(training=training), tmp_path)
