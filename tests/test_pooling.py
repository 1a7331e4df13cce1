"""Reading the mean of the pieces: by a layer more, in plain models of every family that can."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import FAMILIES
from torch.nn.functional import layer_norm

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import layers_of, without_adapter
from nlp_transfer.models.build import LoadedModel, build_model
from nlp_transfer.models.pooling import trained_pooling
from nlp_transfer.recipe import ModelSection
from nlp_transfer.tasks.classification.task import ClassificationTask
from nlp_transfer.tasks.ner.task import NerTask

pytestmark = pytest.mark.usefixtures("one_thread")

Checkpoints = Callable[..., Path]

WITH_READOUT = (
    "bert",
    "roberta",
    "distilbert",
    "electra",
    "deberta-v2",
    "xlm-roberta",
    "camembert",
)
WITHOUT = ("albert", "mpnet", "deberta")
LENGTHS = ([7, 7], [12, 5, 1], [40, 17, 3])


def build(folder: Path, task: Any = None, **options: Any) -> LoadedModel:
    head = (task or ClassificationTask()).head.new(("order", "praise", "refund"))
    return build_model(folder, head, ModelSection(checkpoint=str(folder), max_pieces=48, **options))


def batch(lengths: list[int]) -> dict[str, torch.Tensor]:
    """Windows of random pieces, padded to the longest."""
    pieces = torch.randint(6, 60, (len(lengths), max(lengths)))
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return {"input_ids": pieces, "attention_mask": mask.long()}


def explicit_logits(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Compute what the head makes of LayerNorm(mean), the mean taken below the readout."""
    states = layers_of(model).modules[-1]
    below: list[torch.Tensor] = []
    hook = states.register_forward_hook(
        lambda _, __, out: below.append(out if isinstance(out, torch.Tensor) else out[0])
    )
    model(**inputs)
    hook.remove()
    mask = inputs["attention_mask"].unsqueeze(-1)
    mean = (below[0] * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True)
    read = layer_norm(1024 * mean + below[0], below[0].shape[-1:])
    readout = model.get_submodule(_readout(model))
    hook = readout.register_forward_hook(
        lambda _, __, out: read if isinstance(out, torch.Tensor) else (read, *out[1:])
    )
    logits = model(**inputs).logits
    hook.remove()
    return logits


def assert_same(found: list[dict[str, Any]], written: list[dict[str, Any]]) -> None:
    assert [one["label"] for one in found] == [one["label"] for one in written]
    for ours, theirs in zip(found, written, strict=True):
        assert ours["scores"] == pytest.approx(theirs["scores"], abs=1e-5)


def _readout(model: Any) -> str:
    layers = layers_of(model)
    return f"{layers.name}.{len(layers.modules)}"


@pytest.mark.parametrize("family", WITH_READOUT)
def test_logits_are_those_of_the_head_on_the_mean(family: str, checkpoint: Checkpoints) -> None:
    model = build(checkpoint(family), pooling="mean").model.eval()
    for lengths in LENGTHS:
        inputs = batch(lengths)
        with torch.no_grad():
            expected, found = explicit_logits(model, inputs), model(**inputs).logits
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
            with torch.autocast("cpu", torch.bfloat16):
                rounded = model(**inputs).logits.float()
        torch.testing.assert_close(rounded, expected, atol=0.02, rtol=0.05)


@pytest.mark.parametrize("family", WITHOUT)
def test_families_that_cannot_average_are_told(
    family: str, checkpoint: Checkpoints, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UserError, match=rf"attention of a '{family}' model cannot be made uniform"):
        build(checkpoint(family), pooling="mean")
    sentence = sentence_encoder(checkpoint(family), tmp_path / "sentence")
    with caplog.at_level("WARNING"):
        model = build(sentence).model
    assert caplog.text.count("model.pooling: first") == 1
    assert len(layers_of(model).modules) <= model.config.num_hidden_layers == 2


def test_modernbert_averages_by_itself(checkpoint: Checkpoints, tmp_path: Path) -> None:
    folder = checkpoint("modernbert")
    assert build(folder).model.config.classifier_pooling == "cls"
    assert build(folder, pooling="mean").model.config.classifier_pooling == "mean"
    sentence = sentence_encoder(folder, tmp_path / "sentence")
    model = build(sentence).model
    assert (model.config.classifier_pooling, model.config.num_hidden_layers) == ("mean", 2)
    assert build(sentence, pooling="first").model.config.classifier_pooling == "cls"


def sentence_encoder(folder: Path, target: Path, **said: Any) -> Path:
    """Copy a checkpoint and put beside it what sentence-transformers writes."""
    shutil.copytree(folder, target)
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": number, "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(kinds.items())
    ]
    (target / "modules.json").write_text(json.dumps(modules))
    (target / "1_Pooling").mkdir()
    pooling = said or {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    (target / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return target


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode": "mean"}, "mean"),
        ({"pooling_mode": ["mean"]}, "mean"),
        ({"word_embedding_dimension": 32}, "mean"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "first"),
        ({"pooling_mode": "cls"}, "first"),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, "mean and max"),
        ({"pooling_mode": ["cls", "max"]}, "cls and max"),
        ({"pooling_mode": "lasttoken"}, "lasttoken"),
    ],
)
def test_files_of_sentence_transformers_tell_the_pooling(
    said: dict[str, Any], expected: str, tiny_bert: Path, tmp_path: Path
) -> None:
    folder = sentence_encoder(tiny_bert, tmp_path / "sentence", **said)
    assert trained_pooling(folder) == expected
    layers = build(folder).model.config.num_hidden_layers
    assert layers == (3 if expected == "mean" else 2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("modules.json", "["),
        ("modules.json", "{}"),
        ("modules.json", "[" * 100_000),
        ("modules.json", " " * 2_000_000),
        ("modules.json", '[{"type": "x.Pooling", "path": "../1_Pooling"}]'),
        ("modules.json", '[{"type": "x.Pooling", "path": "/etc"}]'),
        ("modules.json", '[{"type": "x.Pooling", "path": ".."}]'),
        ("modules.json", '[{"type": "x.Pooling", "path": "gone"}]'),
        ("1_Pooling/config.json", "null"),
        ("1_Pooling/config.json", '{"pooling_mode": {"a": 1}}'),
    ],
)
def test_damaged_files_of_sentence_transformers_leave_the_first_piece(
    name: str, text: str, tiny_bert: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = sentence_encoder(tiny_bert, tmp_path / "sentence")
    (folder / name).write_text(text)
    with caplog.at_level("WARNING"):
        assert build(folder).model.config.num_hidden_layers == 2
    assert caplog.text.count("model.pooling: first") == 1


def test_a_head_of_pieces_has_nothing_to_pool(tiny_bert: Path, tmp_path: Path) -> None:
    folder = sentence_encoder(tiny_bert, tmp_path / "sentence")
    assert build(folder, NerTask()).model.config.num_hidden_layers == 2
    with pytest.raises(UserError, match=r"model\.pooling is mean.*answers for each piece"):
        build(folder, NerTask(), pooling="mean")


STRATEGIES: dict[str, Any] = {
    "full": "full",
    "lowest frozen": [{"name": "frozen", "layers": 1}, {"name": "layerwise_lr", "decay": 0.5}],
    "frozen": "frozen",
    "unfreezing": {"name": "gradual_unfreezing", "until": 0.5},
    "penalties": [
        "full",
        {"name": "reinit", "layers": 2},
        {"name": "l2_sp", "alpha": 1.0},
        {"name": "penalty", "l1": 0.1, "l2": 1.0},
        {"name": "average_checkpoints", "count": 2},
        {"name": "interpolate", "lambda": 0.5},
    ],
    "lora": {"name": "lora", "rank": 2},
    "unmerged": {"name": "lora", "rank": 2, "merge": False},
    "dora": {"name": "lora", "rank": 2, "dora": True},
    "ia3": {"name": "ia3"},
    "unmerged ia3": {"name": "ia3", "merge": False},
    "prompt": {"name": "prompt", "tokens": 5},
    "prefix": {"name": "prompt", "tokens": 5, "kind": "prefix"},
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_readout_never_learns(
    strategy: str, tiny_bert: Path, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    folder = sentence_encoder(tiny_bert, tmp_path / "sentence")
    training = {"learning_rate": 0.01, "weight_decay": 0.5, "arguments": {"max_steps": 2}}
    recipe = tiny_recipe(
        "classification", checkpoint=folder, strategy=STRATEGIES[strategy], training=training
    )
    run = tmp_path / "run"
    finetune(load_recipe(str(recipe)), output=run)
    written = [json.loads(line) for line in (run / "predictions.jsonl").open(encoding="utf-8")]
    predictor = Predictor.from_run(run, precision="fp32")
    assert_same(list(predictor([{"text": row["text"]} for row in written])), written)

    fixed = build(folder).model.bert.encoder.layer[2].state_dict()
    model = predictor.loaded.model
    found = without_adapter(model).bert.encoder.layer[2]
    assert len(layers_of(model).modules) == 2
    if strategy != "prompt" and strategy != "prefix":
        assert {name: tensor.tolist() for name, tensor in found.state_dict().items()} == {
            name: tensor.tolist() for name, tensor in fixed.items()
        }


def test_the_pooled_families_are_all_that_can() -> None:
    assert {*WITH_READOUT, *WITHOUT, "modernbert"} >= {*FAMILIES}
