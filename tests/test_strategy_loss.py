"""Strategies that change the loss: each against its formula, computed independently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from steps import built
from tiny import FAMILIES, TRAINED_HEAD
from torch.nn import functional

from nlp_transfer import load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.strategies.contrastive import contrastive_loss
from nlp_transfer.strategies.fgm import direction
from nlp_transfer.strategies.r_drop import divergence
from nlp_transfer.tasks.objective import IGNORED, Objective
from nlp_transfer.training.trainer import TransferTrainer

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]
Checkpoints = Callable[..., Path]
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
TASKS = ("ner", "classification", "multi_label")


class Training:
    """A trainer with its first batch."""

    def __init__(self, recipe: Path, folder: Path, *overrides: str) -> None:
        loaded = load_recipe(str(recipe), overrides)
        parts = built(loaded)
        self.task: Any = loaded.task
        self.trainer: TransferTrainer = parts.trainer(folder / "checkpoints")
        self.model = parts.loaded.model.train()
        self.batch = dict(next(iter(self.trainer.get_train_dataloader())))
        self.items = (self.batch["labels"] != IGNORED).sum()

    def loss(self) -> torch.Tensor:
        """Compute the loss as training does, from a fixed state of the dropout."""
        torch.manual_seed(0)
        return self.trainer.compute_loss(self.model, self.batch, num_items_in_batch=self.items)

    def gradients(self) -> dict[str, torch.Tensor]:
        """Return the gradient of the loss."""
        self.model.zero_grad()
        self.loss().backward()
        named = self.model.named_parameters()
        return {name: p.grad.clone() for name, p in named if p.grad is not None}

    def logits(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Run the model alone, from the same state of the dropout."""
        torch.manual_seed(0)
        inputs = {k: v for k, v in batch.items() if k not in ("labels", "windows")}
        return self.model(**inputs).logits

    def task_loss(self, logits: torch.Tensor) -> torch.Tensor:
        """Compute the mean loss of the task."""
        return self.task.head.loss_sum(logits, self.batch["labels"], Objective()) / self.items


@pytest.fixture
def training(tiny_recipe: Recipes, tmp_path: Path) -> Callable[..., Training]:
    """Return a function that sets up the training of a tiny recipe."""

    def build(strategy: Any, task: str = "ner", **sections: Any) -> Training:
        multi_label = task == "multi_label"
        name = "classification" if multi_label else task
        path = tiny_recipe(name, strategy=strategy, **sections)
        overrides = ["task.multi_label=true"] if multi_label else []
        return Training(path, tmp_path, *overrides)

    return build


# Contrastive


@pytest.mark.parametrize("task", TASKS)
def test_contrastive_shares_with_the_loss_of_the_labels(
    task: str, training: Callable[..., Training], checkpoint: Checkpoints
) -> None:
    settings = {"name": "contrastive", "weight": 0.25, "temperature": 0.5}
    run = training(settings, task, checkpoint=checkpoint("bert", **STILL))
    read: list[torch.Tensor] = []
    with run.model.classifier.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0])):
        of_labels = run.task_loss(run.logits(run.batch))
    labels, states = run.batch["labels"], read[0]
    if task == "ner":
        states, labels = states[labels != IGNORED], labels[labels != IGNORED]
    contrast = contrastive_loss(states, labels, 0.5) / len(labels)
    torch.testing.assert_close(run.loss(), 0.75 * of_labels + 0.25 * contrast)
    assert all(gradient.isfinite().all() for gradient in run.gradients().values())


# R-Drop


def test_divergence_is_the_mean_of_both_directions() -> None:
    first, second = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(3, 4, dtype=torch.long)
    labels[:, 2:] = IGNORED
    p, q = (logits[:, :2].reshape(6, 5).softmax(dim=-1) for logits in (first, second))
    there = functional.kl_div(q.log(), p, reduction="sum")
    back = functional.kl_div(p.log(), q, reduction="sum")
    torch.testing.assert_close(divergence(first, second, labels), (there + back) / 2)
    assert divergence(first, first, labels) == 0


def test_divergence_of_yes_or_no_labels_is_that_of_each() -> None:
    first, second = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(3, 4, dtype=torch.long)
    labels[2] = IGNORED
    expected = torch.tensor(0.0)
    for a, b in zip(first[:2].flatten().sigmoid(), second[:2].flatten().sigmoid(), strict=True):
        p, q = torch.stack([a, 1 - a]), torch.stack([b, 1 - b])
        expected += ((p * (p / q).log()).sum() + (q * (q / p).log()).sum()) / 2
    torch.testing.assert_close(divergence(first, second, labels), expected)


@pytest.mark.parametrize("task", TASKS)
def test_r_drop_adds_the_divergence_of_two_passes_to_their_mean_loss(
    task: str, training: Callable[..., Training]
) -> None:
    run = training({"name": "r_drop", "alpha": 3.0}, task)
    both = run.logits({name: torch.cat([t, t]) for name, t in run.batch.items()})
    first, second = both.chunk(2)
    assert not first.allclose(second), "each pass draws its own dropout"
    mean = (run.task_loss(first) + run.task_loss(second)) / 2
    apart = divergence(first, second, run.batch["labels"]) / run.items
    assert apart > 0
    torch.testing.assert_close(run.loss(), mean + 3 * apart)


def test_r_drop_without_dropout_is_the_plain_loss(
    training: Callable[..., Training], checkpoint: Checkpoints
) -> None:
    still = checkpoint("bert", **STILL)
    plain = training("full", checkpoint=still).loss()
    torch.testing.assert_close(training("r_drop", checkpoint=still).loss(), plain)


# FGM


@pytest.mark.parametrize("task", TASKS)
def test_fgm_is_the_mean_loss_without_and_with_noise_as_long_as_a_share_of_the_embeddings(
    task: str, training: Callable[..., Training], checkpoint: Checkpoints
) -> None:
    run = training({"name": "fgm", "epsilon": 0.5}, task, checkpoint=checkpoint("bert", **STILL))
    mask = {"attention_mask": run.batch["attention_mask"]}
    words = run.model.get_input_embeddings()(run.batch["input_ids"]).detach().requires_grad_()
    clean = run.task_loss(run.model(inputs_embeds=words, **mask).logits)
    (gradient,) = torch.autograd.grad(clean, words)
    moved = words.detach().clone()
    for window, own, read in zip(moved, gradient, run.batch["attention_mask"], strict=True):
        window += 0.5 * window[read.bool()].norm() * own / own.norm()
    adversarial = run.task_loss(run.model(inputs_embeds=moved, **mask).logits)
    assert adversarial > clean
    torch.testing.assert_close(run.loss(), (clean + adversarial) / 2)


@pytest.mark.parametrize(
    "strategy",
    [TRAINED_HEAD, {"name": "frozen", "layers": 1}, {"name": "lora", "dropout": 0}, "layerwise_lr"],
)
def test_fgm_moves_embeddings_that_do_not_learn_too(
    strategy: Any, training: Callable[..., Training], checkpoint: Checkpoints
) -> None:
    still = checkpoint("bert", **STILL)
    plain = training(strategy, checkpoint=still)
    run = training([strategy, "fgm"], checkpoint=still)
    assert run.loss() > plain.loss()
    assert run.gradients().keys() == plain.gradients().keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_fgm_works_for_every_family(
    family: str, training: Callable[..., Training], checkpoint: Checkpoints
) -> None:
    start = checkpoint(family)
    plain = training("full", checkpoint=start, model={"dropout": 0})
    run = training({"name": "fgm", "epsilon": 0.1}, checkpoint=start, model={"dropout": 0})
    assert run.loss() > plain.loss()


def test_windows_without_labels_get_no_noise() -> None:
    gradient = torch.zeros(2, 3, 4)
    gradient[1, 2, 3] = -1e-6
    assert direction(gradient)[1, 2, 3] == -1
    assert direction(gradient).abs().sum() == 1


# Penalties


def test_l2_sp_draws_the_encoder_to_its_start_and_the_head_to_zero(
    training: Callable[..., Training], checkpoint: Checkpoints
) -> None:
    still = checkpoint("bert", **STILL)
    gradients = []
    for strategy in ("full", {"name": "l2_sp", "alpha": 0.3, "beta": 0.2}):
        run = training(strategy, checkpoint=still)
        start = {name: p.detach().clone() for name, p in run.model.named_parameters()}
        with torch.no_grad():
            for parameter in run.model.parameters():
                parameter += 0.01
        gradients.append(run.gradients())
    plain, held = gradients
    for name, parameter in run.model.named_parameters():
        pull = 0.4 * parameter if "classifier" in name else 0.6 * (parameter - start[name])
        torch.testing.assert_close(held[name], plain[name] + pull, rtol=1e-4, atol=1e-6)


def test_penalty_draws_to_zero_what_learns(
    training: Callable[..., Training], checkpoint: Checkpoints
) -> None:
    still = checkpoint("bert", **STILL)
    frozen = {"name": "frozen", "layers": 1}
    plain = training(frozen, checkpoint=still).gradients()
    run = training([frozen, {"name": "penalty", "l1": 0.1, "l2": 0.3}], checkpoint=still)
    held = run.gradients()
    assert held.keys() == plain.keys() < dict(run.model.named_parameters()).keys()
    for name, parameter in run.model.named_parameters():
        if name in held:
            pull = 0.1 * parameter.sign() + 0.6 * parameter
            torch.testing.assert_close(held[name], plain[name] + pull, rtol=1e-4, atol=1e-6)


# What is refused


@pytest.mark.parametrize(
    ("strategies", "message"),
    [
        ([{"name": "r_drop", "alpha": -1}], r"r_drop\.alpha"),
        ([{"name": "fgm", "epsilon": 0}], r"fgm\.epsilon"),
        ([{"name": "fgm", "epsilon": 1}], r"fgm\.epsilon"),
        (["fgm", "r_drop"], "has 1 fault:.*'r_drop' and 'fgm' do not work together"),
        ([{"name": "l2_sp", "alpha": -1}], r"l2_sp\.alpha"),
        (["l2_sp", "lora"], "'lora' and 'l2_sp' do not work together"),
        (["penalty"], "l1 and l2 are both 0; set one of them"),
        ([{"name": "penalty", "l1": -1}], r"penalty\.l1"),
        (["r_drop", "r_drop"], "'r_drop' stands there 2 times"),
    ],
)
def test_bad_recipes_are_refused(strategies: Any, message: str, tiny_recipe: Recipes) -> None:
    with pytest.raises(UserError, match=f"(?s){message}"):
        load_recipe(str(tiny_recipe(strategy=strategies)))
