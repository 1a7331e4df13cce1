"""What is computed faster on a CPU is the same as what transformers computes."""

from __future__ import annotations

import ctypes
import json
import math
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import FAMILIES
from transformers import AutoModelForTokenClassification

from nlp_transfer import finetune, load_recipe
from nlp_transfer.models.fast_cpu import CheapDropout, cheap_dropout, memory_kept, speed_up

pytestmark = pytest.mark.usefixtures("one_thread")

IDS = torch.randint(5, 100, (4, 40), generator=torch.Generator().manual_seed(0))
MASK = (torch.arange(40) < torch.tensor([[40], [31], [7], [1]])).long()


def _model(folder: Path) -> torch.nn.Module:
    torch.manual_seed(0)
    model = AutoModelForTokenClassification.from_pretrained(folder, num_labels=5, dtype="float32")
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model.train()


def _logits_and_gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    logits = model(input_ids=IDS, attention_mask=MASK).logits[MASK.bool()]
    logits.square().mean().backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {"logits": logits.detach(), **gradients}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_computes_the_same_logits_and_gradients(
    family: str, checkpoint: Callable[..., Path]
) -> None:
    stock = _logits_and_gradients(_model(checkpoint(family)))
    faster = _model(checkpoint(family))
    speed_up(faster)
    ours = _logits_and_gradients(faster)
    assert ours.keys() == stock.keys()
    for name, expected in stock.items():
        torch.testing.assert_close(ours[name], expected, atol=2e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_bf16_stays_near_fp32_beside_masked_pieces(
    family: str, checkpoint: Callable[..., Path]
) -> None:
    model = _model(checkpoint(family)).eval()
    exact = model(input_ids=IDS, attention_mask=MASK).logits[MASK.bool()]
    speed_up(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = model(input_ids=IDS, attention_mask=MASK).logits[MASK.bool()]
    torch.testing.assert_close(rough.float(), exact, atol=0.03, rtol=0.05)


@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.9])
def test_dropout_drops_with_its_probability_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(1)
    values = torch.ones(1000)
    dropped = torch.stack([cheap_dropout(values, p) for _ in range(300)])
    deviation = math.sqrt(p * (1 - p) / dropped.numel())
    assert abs((dropped == 0).float().mean().item() - p) < 5 * deviation
    kept = dropped[dropped != 0]
    assert kept.allclose(torch.tensor(1 / (1 - p)), rtol=1e-4)
    # No place is dropped more often than another: all 16 bits are random.
    per_place = (dropped == 0).float().mean(0)
    assert per_place.sub(p).abs().max().item() < 6 * math.sqrt(p * (1 - p) / 300)


def test_dropout_is_drawn_from_the_seed_and_idle_in_evaluation() -> None:
    dropout = CheapDropout(0.3)
    values = torch.randn(7, 5, dtype=torch.bfloat16)
    torch.manual_seed(3)
    first = dropout(values)
    torch.manual_seed(3)
    assert torch.equal(dropout(values), first)
    assert not torch.equal(dropout(values), first)
    assert torch.equal(dropout.eval()(values), values)
    assert CheapDropout(1.0)(values).count_nonzero() == 0


def test_gradient_of_dropout_is_what_was_kept() -> None:
    values = torch.randn(64, requires_grad=True)
    dropped = cheap_dropout(values, 0.4)
    dropped.sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad, (dropped / values).detach())


def test_nothing_of_it_is_saved_with_the_model(
    tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    finetune(load_recipe(str(tiny_recipe(training={"epochs": 1}))), output=tmp_path / "run")
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text("utf-8"))
    assert not [key for key in config if "attn" in key]
    AutoModelForTokenClassification.from_pretrained(tmp_path / "run" / "model")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library")
def test_memory_is_kept_for_the_block_only() -> None:
    def page_faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(5):
            np.ones(40 * 2**20, dtype=np.uint8)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    with memory_kept():
        page_faults()
        kept = page_faults()
    assert kept < page_faults() / 5
