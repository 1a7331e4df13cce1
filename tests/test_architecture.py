"""What each family calls its parts, written out, and what we find: with and without an adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from tiny import FAMILIES
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedModel,
    XLMConfig,
    XLMModel,
)

from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import (
    EMBEDDINGS,
    encoder,
    head_modules,
    head_parameters,
    is_adapted,
    layers_of,
    named_parameters,
    output_layer,
    position_limit,
)
from nlp_transfer.models.fit import check_layers

pytestmark = pytest.mark.usefixtures("one_thread")

AUTO_CLASSES = {
    "words": AutoModelForTokenClassification,
    "text": AutoModelForSequenceClassification,
}


@dataclass(frozen=True)
class Parts:
    """The parts of a family's models, the two kinds of head apart."""

    encoder: str
    layers: str
    text_head: tuple[str, ...] = ("classifier",)
    text_output: str = "classifier"
    word_head: tuple[str, ...] = ("classifier",)
    positions: int | None = 64
    own_layers: int = 2


ROBERTA = Parts("roberta", "roberta.encoder.layer", text_output="classifier.out_proj")
PARTS = {
    "bert": Parts("bert", "bert.encoder.layer"),
    "roberta": ROBERTA,
    "distilbert": Parts(
        "distilbert", "distilbert.transformer.layer", ("classifier", "pre_classifier")
    ),
    "electra": Parts("electra", "electra.encoder.layer", text_output="classifier.out_proj"),
    "albert": Parts("albert", "albert.encoder.albert_layer_groups", own_layers=1),
    "deberta-v2": Parts(
        "deberta", "deberta.encoder.layer", ("classifier", "pooler"), positions=None
    ),
    "xlm-roberta": ROBERTA,
    "mpnet": Parts("mpnet", "mpnet.encoder.layer", text_output="classifier.out_proj"),
    "modernbert": Parts(
        "model",
        "model.layers",
        ("classifier", "head"),
        word_head=("classifier", "head"),
        positions=None,
    ),
    "camembert": ROBERTA,
}

Checkpoints = Callable[..., Path]


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=AUTO_CLASSES)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(family: str, kind: str, checkpoint: Checkpoints) -> PreTrainedModel:
    return AUTO_CLASSES[kind].from_pretrained(checkpoint(family), num_labels=3).eval()


def test_encoder_head_and_output_layer_are_those_of_the_family(
    family: str, kind: str, model: PreTrainedModel
) -> None:
    parts = PARTS[family]
    assert encoder(model) is model.get_submodule(parts.encoder)
    of_words = kind == "words"
    head = parts.word_head if of_words else parts.text_head
    assert {name.split(".")[0] for name in head_parameters(model)} == {*head}
    assert head_modules(model, ()) == [*head]
    output = "classifier" if of_words else parts.text_output
    assert output_layer(model) == output
    assert model.get_submodule(output).out_features == 3


def test_layers_embeddings_and_positions_are_those_of_the_family(
    family: str, model: PreTrainedModel
) -> None:
    parts = PARTS[family]
    layers = layers_of(model)
    assert layers.name == parts.layers
    assert list(layers.modules) == list(model.get_submodule(parts.layers))
    assert len(layers.modules) == parts.own_layers
    check_layers(model, parts.own_layers, "reinit: layers")
    with pytest.raises(UserError, match=f"has {parts.own_layers} layers of its own"):
        check_layers(model, parts.own_layers + 1, "reinit: layers")
    for name, _ in model.named_parameters():
        depth = layers.depth(name)
        if name.startswith(f"{parts.layers}.1."):
            assert depth == 1
        elif name.startswith(f"{parts.layers}.0."):
            assert depth == 0
        elif name in head_parameters(model):
            assert depth is None
        elif name.startswith((f"{parts.encoder}.embeddings", "electra.embeddings_project")):
            assert depth == EMBEDDINGS
    assert position_limit(model) == parts.positions


def test_layers_that_are_in_several_lists_are_none() -> None:
    model = XLMModel(XLMConfig(vocab_size=30, emb_dim=16, n_layers=2, n_heads=2))
    assert not layers_of(model).modules
    assert layers_of(model).depth("attentions.0.q_lin.weight") is None
    with pytest.raises(UserError, match="has 0 layers of its own"):
        check_layers(model, 1, "frozen: layers")


def test_a_pooler_that_starts_at_random_belongs_to_the_head(checkpoint: Checkpoints) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint("bert"), num_labels=3)
    new = {"classifier.weight", "bert.pooler.dense.weight", "of another model"}
    head = {"classifier.weight", "classifier.bias"}
    assert head_parameters(model) == head
    assert head_parameters(model, new) == {*head, "bert.pooler.dense.weight"}
    assert head_modules(model, new) == ["classifier", "pooler"]


@pytest.mark.parametrize("adapter", ["lora", "prompt"])
def test_an_adapter_hides_none_of_the_parts(
    adapter: str, family: str, kind: str, model: PreTrainedModel
) -> None:
    new = head_parameters(model)
    known = {name for name, _ in model.named_parameters()}
    inside, limit, ids = encoder(model), position_limit(model), torch.tensor([[5, 6, 7]])
    before = inside(ids).last_hidden_state
    task_type = "TOKEN_CLS" if kind == "words" else "SEQ_CLS"
    config: dict[str, Any] = {"task_type": task_type}
    if adapter == "lora":
        modules = {"modules_to_save": head_modules(model, new), "target_modules": "all-linear"}
        adapted = get_peft_model(model, LoraConfig(**config, **modules))
    else:
        sizes = {"num_layers": 2, "num_attention_heads": 2, "token_dim": 32}
        prompt = PromptTuningConfig(**config, **sizes, num_virtual_tokens=2)
        adapted = get_peft_model(model, prompt)
    assert is_adapted(adapted)
    assert encoder(adapted) is inside
    assert encoder(adapted)(ids).last_hidden_state.equal(before)
    assert position_limit(adapted) == limit
    assert layers_of(adapted).name.endswith(PARTS[family].layers)
    assert len(layers_of(adapted).modules) == PARTS[family].own_layers
    found = dict(named_parameters(adapted))
    assert new <= found.keys()
    # What computes is the copy that learns. Of a head peft copies for a prompt what has this name.
    copied = new if adapter == "lora" else {name for name in new if "classifier" in name}
    assert all(found[name].requires_grad for name in copied)
    if adapter == "prompt":
        assert found.keys() == known
