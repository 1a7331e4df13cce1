"""Learning only the word embeddings of pieces that are shown ends where learning all does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny import FAMILIES
from torch.optim.optimizer import register_optimizer_step_pre_hook
from transformers import AutoModelForMaskedLM, AutoModelForTokenClassification

from nlp_transfer import finetune, load_recipe
from nlp_transfer.training.seen_rows import SeenRows, seen_rows

pytestmark = pytest.mark.usefixtures("one_thread")

SHOWN = torch.randint(5, 60, (3, 8, 12), generator=torch.Generator().manual_seed(0))
OTHERS = torch.arange(60, 90)[None]
PADDED = torch.nn.functional.pad(SHOWN, (0, 3))
MASK = (torch.arange(15) < 12).long().expand(8, 15)


def _model(folder: Path, kind: Any = AutoModelForTokenClassification) -> Any:
    torch.manual_seed(0)
    return kind.from_pretrained(folder, dtype="float32").eval()


def _seen() -> torch.Tensor:
    return torch.cat([PADDED.unique(), torch.tensor([3])]).unique()


def _learn(model: torch.nn.Module, rows: SeenRows | None, steps: Iterable[int]) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.3)
    if rows is not None:
        optimizer.register_step_post_hook(rows.decay_others)
    for step in steps:
        if rows is not None:
            rows.train()  # where pieces that are not seen are refused; the others have no dropout
        model(input_ids=PADDED[step], attention_mask=MASK).logits.square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        model.eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_the_same_weights(family: str, checkpoint: Callable[..., Path]) -> None:
    stock, ours = _model(checkpoint(family)), _model(checkpoint(family))
    before = {name: tensor.clone() for name, tensor in stock.state_dict().items()}
    learning = ours.get_input_embeddings()
    _learn(stock, None, range(3))
    with seen_rows(ours, _seen()) as rows:
        assert rows is not None
        assert rows.weight.shape[0] == len(_seen()) < learning.num_embeddings
        _learn(ours, rows, range(3))
        meanwhile = ours(input_ids=OTHERS).logits
        during = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    assert ours.get_input_embeddings() is learning
    torch.testing.assert_close(meanwhile, stock(input_ids=OTHERS).logits, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(meanwhile, ours(input_ids=OTHERS).logits, atol=0, rtol=0)
    after = ours.state_dict()
    assert after.keys() == during.keys() == before.keys()
    for name, expected in stock.state_dict().items():
        torch.testing.assert_close(after[name], expected, atol=2e-6, rtol=1e-4, msg=name)
        assert torch.equal(after[name], during[name])
    decayed = learning.weight[OTHERS] / _before(learning, ours, before)[OTHERS]
    torch.testing.assert_close(decayed, torch.full_like(decayed, (1 - 0.003) ** 3))


def _before(
    embedding: torch.nn.Module, model: torch.nn.Module, before: dict[str, torch.Tensor]
) -> torch.Tensor:
    """Return the weight that an embedding of a model had."""
    name = next(name for name, module in model.named_modules() if module is embedding)
    return before[f"{name}.weight"]


def test_weights_loaded_in_between_are_learned_on(tiny_bert: Path) -> None:
    stock, ours = _model(tiny_bert), _model(tiny_bert)
    _learn(stock, None, [0])
    with seen_rows(ours, _seen()) as rows:
        _learn(ours, rows, [1, 2])
        ours.load_state_dict(stock.state_dict())
        torch.testing.assert_close(ours(input_ids=OTHERS), stock(input_ids=OTHERS))
        _learn(stock, None, [2])
        _learn(ours, rows, [2])
    torch.testing.assert_close(dict(ours.state_dict()), dict(stock.state_dict()))


def test_a_piece_that_was_not_announced_is_refused_and_nothing_is_lost(tiny_bert: Path) -> None:
    model = _model(tiny_bert)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(IndexError), seen_rows(model, _seen()):
        model.train()(input_ids=OTHERS)
    assert torch.equal(
        model.get_input_embeddings().weight, before["bert.embeddings.word_embeddings.weight"]
    )


def test_a_model_is_left_as_it_is_where_embeddings_are_frozen_or_tied(tiny_bert: Path) -> None:
    frozen = _model(tiny_bert)
    frozen.get_input_embeddings().requires_grad_(False)
    tied = _model(tiny_bert, AutoModelForMaskedLM)
    for model in (frozen, tied):
        embedding = model.get_input_embeddings()
        with seen_rows(model, _seen()) as rows:
            assert rows is None
            assert model.get_input_embeddings() is embedding


@pytest.fixture
def runs(tmp_path: Path) -> Callable[..., Any]:
    """Run a recipe; return its weights and whether the optimizer had all rows of pieces."""

    def run(recipe: Path, name: str) -> tuple[dict[str, Any], bool]:
        shapes: set[torch.Size] = set()

        def note(optimizer: torch.optim.Optimizer, *_: Any) -> None:
            shapes.update(p.shape for group in optimizer.param_groups for p in group["params"])

        handle = register_optimizer_step_pre_hook(note)
        finetune(load_recipe(str(recipe)), output=tmp_path / name)
        handle.remove()
        weights = load_file(tmp_path / name / "model" / "model.safetensors")
        return weights, weights["bert.embeddings.word_embeddings.weight"].shape in shapes

    return run


@pytest.mark.parametrize(
    "strategy",
    ["full", "fgm", "r_drop", "layerwise_lr", "gradual_unfreezing", "average_checkpoints"],
)
def test_runs_end_with_the_weights_of_learning_all_rows(
    strategy: str, tiny_recipe: Callable[..., Path], runs: Callable[..., Any]
) -> None:
    training = {"epochs": 3, "weight_decay": 0.1, "precision": "fp32"}
    chosen = [{"name": strategy}]
    ours, all_rows = runs(tiny_recipe(strategies=chosen, training=training), "ours")
    assert not all_rows
    # A strategy that may move rows that are not seen, and here moves nothing.
    chosen.append({"name": "l2_sp", "alpha": 0, "beta": 0})
    stock, all_rows = runs(tiny_recipe(strategies=chosen, training=training), "stock")
    assert all_rows
    torch.testing.assert_close(ours, stock, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "sections",
    [
        {"strategies": [{"name": "l2_sp"}]},
        {"strategies": [{"name": "penalty", "l2": 0.01}]},
        {"training": {"epochs": 1, "optimizer": "sgd"}},
        {"training": {"epochs": 1, "arguments": {"optim": "adafactor"}}},
    ],
)
def test_all_rows_learn_where_those_not_shown_change_by_more_than_decay(
    sections: dict[str, Any], tiny_recipe: Callable[..., Path], runs: Callable[..., Any]
) -> None:
    assert runs(tiny_recipe(**{"training": {"epochs": 1}, **sections}), "run")[1]
