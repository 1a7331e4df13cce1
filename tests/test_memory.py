"""Runs for which memory does not suffice: smaller parts, the same steps."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers.models.bert.modeling_bert import BertLayer

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.errors import UserError

pytestmark = pytest.mark.usefixtures("one_thread")

FITS = 3  # windows
ERROR = "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory"


def _short_of_memory(patch: pytest.MonkeyPatch, when: str, fits: int = FITS) -> None:
    """Let the lowest layers fail as torch does, in the forward or in the backward pass."""
    original = BertLayer.forward

    def forward(self: BertLayer, hidden: torch.Tensor, *args: Any, **options: Any) -> Any:
        def fail(*_: Any) -> None:
            raise RuntimeError(ERROR)

        if len(hidden) > fits and torch.is_grad_enabled():
            if when == "forward":
                fail()
            hidden.register_hook(fail)  # the layers above have their gradients by then
        return original(self, hidden, *args, **options)

    patch.setattr(BertLayer, "forward", forward)


@pytest.fixture
def path(tiny_recipe: Callable[..., Path], checkpoint: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes a recipe without dropout, which parts would draw anew."""
    still = checkpoint("bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)

    def write(accumulation: int = 1) -> Path:
        training = {"epochs": 1, "tokens_per_batch": 256, "tokens_at_once": 256 // accumulation}
        return tiny_recipe(checkpoint=still, training=training)

    return write


@pytest.fixture
def recipe(path: Callable[..., Path]) -> Callable[..., Any]:
    """Return a function that reads that recipe."""
    return lambda accumulation=1: load_recipe(str(path(accumulation)))


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("when", ["forward", "backward"])
def test_batches_that_do_not_fit_are_learned_in_parts_to_the_same_weights(
    when: str,
    accumulation: int,
    path: Callable[..., Path],
    recipe: Callable[..., Any],
    trained: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    roomy_run = trained(path(accumulation))
    _short_of_memory(monkeypatch, when)
    with caplog.at_level(logging.WARNING, "nlp_transfer"):
        finetune(recipe(accumulation), output=tmp_path / "tight")
    assert "memory does not suffice" in caplog.text
    assert caplog.text.count("memory does not suffice") <= 4  # it is remembered, not tried again
    roomy, tight = (
        load_file(run / "model" / "model.safetensors") for run in (roomy_run, tmp_path / "tight")
    )
    assert all(roomy[name].allclose(tight[name], atol=2e-5) for name in roomy)


def test_prediction_goes_on_in_halves(
    path: Callable[..., Path], trained: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"Ada wrote {number} letters" for number in range(9)]
    predictor = Predictor.from_run(trained(path()), precision="fp32")
    roomy = [found["tags"] for found in predictor(texts)]
    original = BertLayer.forward

    def forward(self: BertLayer, hidden: torch.Tensor, *args: Any, **options: Any) -> Any:
        if len(hidden) > FITS:
            raise RuntimeError(ERROR)
        return original(self, hidden, *args, **options)

    monkeypatch.setattr(BertLayer, "forward", forward)
    assert [found["tags"] for found in predictor(texts)] == roomy


def test_memory_for_not_even_one_window_ends_with_advice(
    recipe: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _short_of_memory(monkeypatch, "forward", fits=0)
    with pytest.raises(UserError, match=r"single window.*max_pieces"):
        finetune(recipe(), output=tmp_path / "run")


def test_other_errors_are_not_taken_for_lack_of_memory(
    recipe: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(BertLayer, "forward", broken)
    with pytest.raises(RuntimeError, match="multiplied"):
        finetune(recipe(), output=tmp_path / "run")
