"""What is computed faster on a CPU is the same as what transformers computes."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from interrupting import interrupted_forward
from tiny import FAMILIES
from torch.nn.modules.module import register_module_forward_pre_hook
from transformers import AutoModelForTokenClassification, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.flows.evaluate import evaluate
from nlp_transfer.models.fast_cpu import memory_kept, sped_up

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
    with sped_up(faster):
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
    with sped_up(model), torch.autocast("cpu", dtype=torch.bfloat16):
        rough = model(input_ids=IDS, attention_mask=MASK).logits[MASK.bool()]
    torch.testing.assert_close(rough.float(), exact, atol=0.03, rtol=0.05)


Found = dict[str, object]


def _as_found(model: torch.nn.Module | None = None) -> Found:
    """Describe what decides how transformers, PyTorch and a model compute."""
    found: Found = {
        "attention": dict(ALL_ATTENTION_FUNCTIONS),
        "masks": dict(ALL_MASK_ATTENTION_FUNCTIONS),
        "dropout": torch.nn.functional.dropout,
        "environment": dict(os.environ),
    }
    for name, module in model.named_modules() if model else ():
        hooks = [module._forward_hooks, module._forward_pre_hooks]
        found[name] = (type(module), module.__dict__.get("forward"), *map(list, hooks))
        if config := getattr(module, "config", None):
            found[f"{name}: attention"] = config._attn_implementation
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_everything_is_as_it_was_found_after_the_block(
    family: str, checkpoint: Callable[..., Path]
) -> None:
    model, other = _model(checkpoint(family)), _model(checkpoint(family))
    before, of_other = _as_found(model), _as_found(other)
    with pytest.raises(KeyboardInterrupt), sped_up(model):  # noqa: PT012
        with sped_up(model), sped_up(other):
            inside = _as_found(model)
        assert _as_found(model) == inside != before
        raise KeyboardInterrupt
    assert _as_found(model) == before
    assert _as_found(other) == of_other


def test_two_threads_may_use_one_model(tiny_bert: Path) -> None:
    model = _model(tiny_bert)
    before = _as_found(model)
    first_is_in, second_is_in = threading.Event(), threading.Event()

    def first() -> None:
        with sped_up(model):
            first_is_in.set()
            second_is_in.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    first_is_in.wait(10)
    with sped_up(model):
        second_is_in.set()
        thread.join()
        assert "nlpt_cpu" in ALL_ATTENTION_FUNCTIONS
        assert model.config._attn_implementation == "nlpt_cpu"
    assert _as_found(model) == before


def test_importing_the_package_changes_nothing(tmp_path: Path) -> None:
    program = (
        "import os; before = dict(os.environ)\n"
        "import nlp_transfer.models.fast_cpu, nlp_transfer.training.trainer\n"
        "from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS as known\n"
        "print('nlpt_cpu' in known, {k for k in os.environ if before.get(k) != os.environ[k]})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[0] == "False"
    assert "ONEDNN" not in done.stdout


@pytest.fixture
def run(tmp_path: Path, tiny_recipe: Callable[..., Path]) -> Path:
    """Train a tiny model."""
    before = _as_found()
    finetune(load_recipe(str(tiny_recipe(training={"epochs": 1}))), output=tmp_path / "run")
    assert _as_found() == before
    return tmp_path / "run"


def test_a_prediction_that_is_dropped_half_way_leaves_everything_as_it_was(run: Path) -> None:
    predictor = Predictor.from_run(run)
    before = _as_found(predictor.loaded.model)
    results = predictor(["Ada left Rome"] * 20)
    next(iter(results))
    assert _as_found(predictor.loaded.model) == before
    with interrupted_forward(), pytest.raises(KeyboardInterrupt):
        list(predictor(["Ada left Rome"]))
    assert _as_found(predictor.loaded.model) == before


@contextmanager
def _attention_used() -> Iterator[set[str]]:
    """Collect the kinds of attention of the models that compute meanwhile."""
    used: set[str] = set()

    def watch(module: torch.nn.Module, _: object) -> None:
        if isinstance(module, PreTrainedModel):
            used.add(str(module.config._attn_implementation))

    hook = register_module_forward_pre_hook(watch)
    try:
        yield used
    finally:
        hook.remove()


def test_the_recipe_turns_all_of_it_off_and_the_model_keeps_that(
    tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    path = tiny_recipe(training={"epochs": 1, "fast_cpu": False})
    recipe = load_recipe(str(path))
    with _attention_used() as used:
        finetune(recipe, output=tmp_path / "run")
        list(Predictor.from_run(tmp_path / "run")(["Ada left Rome"]))
        evaluate(tmp_path / "run", recipe=recipe)
    assert used == {"eager", "sdpa"}  # to learn, whose dropout is drawn by row, and to predict
    with _attention_used() as used:
        list(Predictor.from_run(tmp_path / "run", fast_cpu=True)(["Ada left Rome"]))
        evaluate(tmp_path / "run", recipe=load_recipe(str(path), ["training.fast_cpu=true"]))
    assert used == {"nlpt_cpu"}


def test_nothing_of_it_is_saved_with_the_model(
    run: Path,
) -> None:
    config = json.loads((run / "model" / "config.json").read_text("utf-8"))
    assert not [key for key in (*config, *config["nlp_transfer"]) if "attn" in key or "cpu" in key]
    AutoModelForTokenClassification.from_pretrained(run / "model")


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
