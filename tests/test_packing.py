"""Learning without padding computes what learning with it does, and leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny import FAMILIES
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from nlp_transfer import finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.models.fast_cpu import sped_up
from nlp_transfer.models.packing import FAMILIES as PACKED
from nlp_transfer.models.packing import packed_layers
from nlp_transfer.models.row_dropout import dropout_by_row

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]
Checkpoints = Callable[..., Path]
LENGTHS = torch.tensor([3, 60, 17, 8, 44, 3, 59])
MASK = (torch.arange(60) < LENGTHS[:, None]).long()
IDS = torch.randint(5, 100, (7, 60), generator=torch.Generator().manual_seed(0))
HEADS: tuple[Any, ...] = (
    AutoModelForTokenClassification,
    AutoModelForSequenceClassification,
    AutoModelForMaskedLM,
)
TYPES = ("bert", "electra", "albert")
"""Families that tell the texts of a pair apart."""


def _built(head: Any, folder: Path) -> tuple[Any, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    model = head.from_pretrained(folder, dtype="float32")
    pieces = IDS.where(MASK.bool(), model.config.pad_token_id)
    batch = {"input_ids": pieces, "attention_mask": MASK}
    if model.config.model_type in TYPES:
        batch["token_type_ids"] = (torch.arange(60) > LENGTHS[:, None] // 2).long() * MASK
    return model, batch


def _of_pieces(logits: torch.Tensor) -> torch.Tensor:
    return logits[MASK.bool()] if logits.dim() == 3 else logits


def _gradients(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, Any]]:
    model.zero_grad()
    logits = _of_pieces(model(**batch).logits)
    logits.square().mean().backward()
    named = model.named_parameters()
    return logits.detach(), {name: p.grad.clone() for name, p in named if p.grad is not None}


@pytest.mark.parametrize("head", HEADS, ids=["words", "texts", "masked"])
@pytest.mark.parametrize("family", PACKED)
def test_logits_and_gradients_are_those_of_padded_windows(
    family: str, head: Any, checkpoint: Checkpoints
) -> None:
    model, batch = _built(head, checkpoint(family))
    model.eval()
    wanted, gradients = _gradients(model, batch)
    read: list[torch.Size] = []
    with packed_layers(model):
        for name, part in model.named_modules():
            if name.endswith(("intermediate.dense", "ffn.lin1", ".ffn")):
                part.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].shape[:2]))
        found, ours = _gradients(model, batch)
    assert {*read} == {(1, int(LENGTHS.sum()))}
    assert (found - wanted).abs().max() < 1e-5
    assert ours.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(ours[name], gradient, atol=1e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
@pytest.mark.parametrize("family", PACKED)
def test_dropout_of_a_window_is_what_it_is_with_padding(
    family: str, fast: bool, checkpoint: Checkpoints
) -> None:
    rates = {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.2}
    settings = rates if family == "albert" else {}
    model, batch = _built(AutoModelForTokenClassification, checkpoint(family, **settings))
    model.train()
    found = []
    for packed in (False, True):
        torch.manual_seed(3)
        with (
            packed_layers(model, enabled=packed),
            sped_up(model, enabled=fast),
            dropout_by_row(model, seed=1) as rows,
        ):
            rows.compute(torch.arange(7), MASK if packed else None)
            found.append(_of_pieces(model(**batch).logits))
    assert (found[0] - found[1]).abs().max() < 1e-5
    assert (found[0] - _of_pieces(model.eval()(**batch).logits)).abs().max() > 1e-3


@pytest.mark.parametrize("lengths", [[60] * 7, [3] * 7, [9]], ids=str)
def test_windows_of_one_length_and_a_window_alone_are_computed(
    lengths: list[int], tiny_bert: Path
) -> None:
    model, _ = _built(AutoModelForTokenClassification, tiny_bert)
    batch = {"input_ids": IDS[: len(lengths), : lengths[0]]}
    batch["attention_mask"] = torch.ones_like(batch["input_ids"])
    wanted = model.eval()(**batch).logits
    with packed_layers(model):
        assert (model(**batch).logits - wanted).abs().max() < 1e-5


def test_gradient_checkpointing_computes_the_same(tiny_bert: Path) -> None:
    model, batch = _built(AutoModelForTokenClassification, tiny_bert)
    wanted, gradients = _gradients(model.eval(), batch)
    model.gradient_checkpointing_enable()
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    with packed_layers(model):
        found, ours = _gradients(model.train(), batch)
    assert (found - wanted).abs().max() < 1e-5
    torch.testing.assert_close(ours, gradients, atol=1e-6, rtol=1e-4)


def test_a_model_is_as_it_was_after_the_block_and_predicts_as_ever_within(tiny_bert: Path) -> None:
    from transformers import AttentionInterface

    model, batch = _built(AutoModelForTokenClassification, tiny_bert)
    offered = {*AttentionInterface._global_mapping}
    with torch.no_grad(), sped_up(model.eval()):
        wanted = model(**batch).logits
    with packed_layers(model), sped_up(model), torch.no_grad():
        assert torch.equal(model(**batch).logits, wanted)
    assert {*AttentionInterface._global_mapping} == offered
    assert model.config._attn_implementation == "sdpa"
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


Command = Callable[..., tuple[int, str, str]]
TRAINING = {"epochs": 1, "precision": "fp32", "tokens_per_batch": 256}


@pytest.fixture
def same_weights(nlpt: Command, tmp_path: Path) -> Callable[..., None]:
    """Return a function that fine-tunes with padding and without, and compares the models."""

    def compare(recipe: Path, *overrides: str) -> None:
        models = []
        for padding in ("true", "false"):
            run = tmp_path / padding
            said = (*overrides, f"training.padding={padding}")
            code, _, errors = nlpt("finetune", "--recipe", recipe, *said, "--output", run)
            assert code == 0, errors
            models.append(run / "model")
        padded, packed = (load_file(model / "model.safetensors") for model in models)
        # As much as runs on one and on two processes differ by: sums are taken in another order.
        torch.testing.assert_close(packed, padded, atol=2e-6, rtol=1e-4)
        first, second = (json.loads((model / "config.json").read_text()) for model in models)
        own = [config.pop("nlp_transfer") for config in (first, second)]
        assert first == second
        assert own[0].keys() == own[1].keys()  # where calibrated numbers differ by rounding

    return compare


def test_the_command_trains_the_same_model(
    tiny_recipe: Recipes, same_weights: Callable[..., None]
) -> None:
    same_weights(tiny_recipe(training={**TRAINING, "epochs": 2}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "strategy", "overrides"),
    [
        ("ner", "r_drop", ()),
        ("ner", "fgm", ()),
        ("ner", "lora", ("strategies=[{name: lora, merge: true}]",)),
        ("ner", "layerwise_lr", ("training.tokens_at_once=100",)),
        ("ner", "full", ("training.arguments={gradient_checkpointing: true}",)),
        ("ner", "full", ("training.fast_cpu=false",)),
        ("classification", "contrastive", ()),
        ("classification", "label_names", ("model.pooling=mean",)),
        ("classification", "full", ("model.pooling=first", "training.sampling=balanced")),
    ],
)
def test_strategies_train_the_same_model(
    task: str,
    strategy: str,
    overrides: tuple[str, ...],
    tiny_recipe: Recipes,
    same_weights: Callable[..., None],
) -> None:
    same_weights(tiny_recipe(task, strategy=strategy, training=TRAINING), *overrides)


@pytest.mark.parametrize("family", sorted({*FAMILIES} - {*PACKED}))
def test_other_families_are_refused_at_the_start(
    family: str, tiny_recipe: Recipes, checkpoint: Checkpoints, nlpt: Command, tmp_path: Path
) -> None:
    recipe = tiny_recipe(checkpoint=checkpoint(family), training={"padding": False})
    code, _, errors = nlpt("finetune", "--recipe", recipe, "--output", tmp_path / "run")
    assert code == 2
    assert f"a '{family}' model computes its attention with padding only" in errors
    assert "roberta" in errors
    assert not (tmp_path / "run" / "recipe.yaml").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.attention=eager"], "model.attention is eager"),
        (["training.arguments={torch_compile: true}"], "training.padding: false goes not with"),
        (["strategies=[prompt]"], "prompt: its virtual tokens"),
        (
            ["strategies=[full, {name: distillation, teacher: runs/a, hidden: 1}]"],
            "distillation: hidden compares",
        ),
    ],
)
def test_what_does_not_go_with_it_is_refused(
    overrides: list[str], message: str, tiny_recipe: Recipes, tmp_path: Path
) -> None:
    recipe = tiny_recipe(training={"padding": False})
    with pytest.raises(UserError, match=message):
        finetune(load_recipe(str(recipe), overrides), output=tmp_path / "run")


@pytest.mark.slow
def test_tasks_that_learn_together_train_the_same_model(
    tiny_recipe: Recipes, classification_data: Path, same_weights: Callable[..., None]
) -> None:
    topics = {"task": {"name": "classification"}, "data": {"source": str(classification_data)}}
    chosen = [{"name": "multi_task", "side_tasks": {"topics": topics}}]
    same_weights(tiny_recipe(strategy=chosen, training=TRAINING))


@pytest.mark.slow
def test_pretraining_reads_the_same(tiny_recipe: Recipes, nlpt: Command, tmp_path: Path) -> None:
    recipe = tiny_recipe(training=TRAINING)
    weights = []
    for padding in ("true", "false"):
        run = tmp_path / padding
        said = (f"training.padding={padding}", "--output", run)
        code, _, errors = nlpt("pretrain", "--recipe", recipe, *said)
        assert code == 0, errors
        weights.append(load_file(run / "model" / "model.safetensors"))
    torch.testing.assert_close(weights[1], weights[0], atol=2e-6, rtol=1e-4)
