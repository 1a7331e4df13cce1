"""The contrastive loss: what it is, what it does to a model, what it goes with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cosine_similarity

from nlp_transfer import finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.flows.dry_run import dry_run
from nlp_transfer.strategies.contrastive import contrastive_loss

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]


def _by_pairs(states: torch.Tensor, labels: list[set[int]], temperature: float) -> float:
    """Add the loss up pair by pair, as the papers write it."""
    total = 0.0
    for one, ours in enumerate(labels):
        others = [n for n in range(len(labels)) if n != one]
        similar = {
            n: float(cosine_similarity(states[one], states[n], dim=0)) / temperature for n in others
        }
        among = torch.tensor(list(similar.values())).logsumexp(dim=0) if others else 0
        alike = {n: len(ours & labels[n]) / max(1, len(ours | labels[n])) for n in others}
        if sum(alike.values()):
            terms = [share * float(among - similar[n]) for n, share in alike.items()]
            total += sum(terms) / sum(alike.values())
    return total


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.sampled_from([0.05, 0.3, 2.0]))
def test_loss_is_that_of_the_pairs(labels: list[int], temperature: float) -> None:
    states = torch.randn(len(labels), 6, generator=torch.Generator().manual_seed(0))
    found = contrastive_loss(states, torch.tensor(labels), temperature)
    wanted = _by_pairs(states, [{label} for label in labels], temperature)
    assert float(found) == pytest.approx(wanted, rel=1e-4, abs=1e-4)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sets(st.integers(0, 2)), min_size=1, max_size=7))
def test_partners_of_several_labels_count_by_what_they_share(labels: list[set[int]]) -> None:
    states = torch.randn(len(labels), 6, generator=torch.Generator().manual_seed(0))
    several = torch.tensor([[int(n in own) for n in range(3)] for own in labels])
    found = contrastive_loss(states, several, 0.5)
    assert float(found) == pytest.approx(_by_pairs(states, labels, 0.5), rel=1e-4, abs=1e-4)


def test_large_batches_are_computed_in_blocks_to_the_same_gradient() -> None:
    labels = torch.randint(0, 40, (1100,), generator=torch.Generator().manual_seed(0))
    states = torch.randn(1100, 8, generator=torch.Generator().manual_seed(1))
    whole, in_blocks = (states.clone().requires_grad_() for _ in range(2))
    places = torch.nn.functional.normalize(whole, dim=-1)
    similar = (places @ places.T / 0.1).fill_diagonal_(-torch.inf)
    surprise = similar.logsumexp(dim=-1, keepdim=True) - similar.nan_to_num(neginf=0.0)
    alike = (labels[:, None] == labels).float().fill_diagonal_(0)
    wanted = ((alike * surprise).sum(-1) / alike.sum(-1)).sum()
    wanted.backward()
    found = contrastive_loss(in_blocks, labels, 0.1)
    found.backward()
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(in_blocks.grad, whole.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("labels", [[], [0], [0, 1, 2]])
def test_batches_without_partners_are_learned_too(labels: list[int]) -> None:
    states = torch.randn(len(labels), 4, requires_grad=True)
    loss = contrastive_loss(states, torch.tensor(labels, dtype=torch.int64), 0.1)
    loss.backward()
    assert loss == 0
    assert states.grad is not None
    assert states.grad.isfinite().all()


def test_it_goes_with_all_that_learns_by_steps(tmp_path: Path, tiny_recipe: Recipes) -> None:
    others = [{"name": "frozen", "layers": 1}, "layerwise_lr", "linear_probe", "r_drop"]
    recipe = tiny_recipe("classification", strategy=[*others, "contrastive"])
    assert _loss(recipe, tmp_path / "run") > 0


def test_weight_shares_the_loss_of_a_training_out(tmp_path: Path, tiny_recipe: Recipes) -> None:
    training = {"learning_rate": 1e-9, "epochs": 1}  # the same two losses, whatever is learned
    recipe = tiny_recipe("classification", strategy="contrastive", training=training)
    little, half, much = (
        _loss(recipe, tmp_path / f"{weight}", f"strategies.0.weight={weight}")
        for weight in (0.1, 0.5, 0.9)
    )
    assert abs(little - much) > 0.1
    assert half == pytest.approx((little + much) / 2, rel=1e-4)


def _loss(recipe: Path, run: Path, *overrides: str) -> float:
    """Return the mean loss of the steps of a run."""
    finetune(load_recipe(str(recipe), list(overrides)), output=run)
    lines = [json.loads(line) for line in (run / "log.jsonl").open()]
    return float(lines[-1]["train_loss"])


def test_a_reader_that_does_not_learn_is_refused(tmp_path: Path, tiny_recipe: Recipes) -> None:
    with pytest.raises(UserError, match="'contrastive' has no effect beside 'frozen'"):
        load_recipe(str(tiny_recipe(strategy=["frozen", "contrastive"])))
    trained = {"name": "frozen", "head": "trained"}
    recipe = load_recipe(str(tiny_recipe(strategy=[trained, "contrastive"])))
    with pytest.raises(UserError, match="nothing that the output layer reads learns"):
        dry_run(recipe)  # before any step
    with pytest.raises(UserError, match="nothing that the output layer reads learns"):
        finetune(recipe, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("weights", ["gradual_unfreezing", "lora", {"name": "prompt", "tokens": 2}])
def test_a_reader_that_learns_later_or_by_other_weights_is_not(
    weights: object, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    recipe = load_recipe(str(tiny_recipe(strategy=[weights, "contrastive"])))
    assert finetune(recipe, output=tmp_path / "run").metrics["training"]["steps"] > 0


@pytest.mark.parametrize("key", ["weight=1", "weight=0", "temperature=0", "temperature=11"])
def test_bad_settings_are_refused(key: str, tiny_recipe: Recipes) -> None:
    recipe = tiny_recipe(strategy="contrastive")
    with pytest.raises(UserError, match=f"contrastive.{key.partition('=')[0]}"):
        load_recipe(str(recipe), [f"strategies.0.{key}"])
