"""Reading the mean of the pieces: by a layer more, in plain models of every family that can."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from steps import built
from tiny import FAMILIES, write_recipe
from torch.nn.functional import layer_norm
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, pipeline

from nlp_transfer import Predictor, export, finetune, load_recipe, merge, pretrain
from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import layers_of, without_adapter
from nlp_transfer.models.build import LoadedModel, build_masked_lm, build_model
from nlp_transfer.models.features import features_behind_logits
from nlp_transfer.models.pooling import trained_pooling
from nlp_transfer.recipe import ModelSection
from nlp_transfer.tasks.classification.task import ClassificationTask
from nlp_transfer.tasks.ner.task import NerTask

pytestmark = pytest.mark.usefixtures("one_thread")

Checkpoints = Callable[..., Path]
Recipes = Callable[..., Path]

WITH_READOUT = (
    "bert",
    "roberta",
    "distilbert",
    "electra",
    "deberta-v2",
    "xlm-roberta",
    "camembert",
)
RARE = ("roformer", "nystromformer")
WITHOUT = ("albert", "mpnet", "deberta", "ibert")
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


@pytest.mark.parametrize("family", [*WITH_READOUT, *RARE])
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
        ("1_Pooling/config.json", '{"pooling_mode": []}'),
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
    assert "pooling , which" not in caplog.text


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


FEW = ("lowest frozen", "unmerged")


@pytest.mark.parametrize(
    "strategy",
    [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in STRATEGIES],
)
def test_a_readout_never_learns(
    strategy: str, encoder_folder: Path, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    folder = encoder_folder
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


Folders = Callable[..., Path]


@pytest.fixture(scope="module")
def encoder_folder(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sentence_encoder(tiny_bert, tmp_path_factory.mktemp("encoders") / "sentence")


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory,
    data_folder: Callable[[str], Path],
    encoder_folder: Path,
) -> Callable[..., Path]:
    """Return a function that trains on a sentence encoder, once a name."""
    folder = tmp_path_factory.mktemp("runs")

    def train(name: str = "one", task: str = "classification", **sections: Any) -> Path:
        run = folder / name
        if not run.exists():
            few = {"learning_rate": 0.01, "arguments": {"max_steps": 3}}
            options = {"checkpoint": encoder_folder, "strategy": "full", "training": few}
            options |= sections
            recipe = folder / f"{name}.yaml"
            write_recipe(recipe, task=task, data=data_folder(task), **options)
            finetune(load_recipe(str(recipe)), output=run)
        return run

    return train


SHORT = ["great service", "where is my parcel", "i want a refund , you charged me twice"]


def scores_of(run: Path, **options: Any) -> list[Any]:
    answers = Predictor.from_run(run, **{"precision": "fp32", **options})(SHORT)
    return [answer["scores"] for answer in answers]


def depth(run: Path) -> int:
    return int(json.loads((run / "model" / "config.json").read_text("utf-8"))["num_hidden_layers"])


@pytest.mark.parametrize(
    "strategy",
    [
        "full",
        pytest.param({"name": "lora", "rank": 2}, marks=pytest.mark.slow),
        {"name": "lora", "rank": 2, "merge": False},
    ],
)
def test_plain_transformers_reads_a_pooled_model(strategy: Any, runs: Folders) -> None:
    name = "one" if strategy == "full" else f"lora-{strategy.get('merge', True)}"
    run = runs(name, strategy=strategy)
    folder = run / "model"
    said = folder / ("config.json" if (folder / "config.json").exists() else "model_config.json")
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, config=AutoConfig.from_pretrained(said)
    )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    answers = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)(SHORT)
    for found, expected in zip(answers, scores_of(run), strict=True):
        assert {one["label"]: one["score"] for one in found} == pytest.approx(expected, abs=1e-5)


def test_a_run_that_averages_is_a_start_that_averages(runs: Folders) -> None:
    """Also where it loses layers; a head of pieces, and a wish for the first, do without."""
    one = runs() / "model"
    again = build(one)
    assert again.model.config.num_hidden_layers == 3
    assert "bert.pooler.dense.weight" not in again.new_parameters, "it was learned on the mean"
    assert build(one, layers=1).model.config.num_hidden_layers == 2
    assert build(one, pooling="first").model.config.num_hidden_layers == 2
    assert build(one, NerTask()).model.config.num_hidden_layers == 2
    masked = build_masked_lm(one, ModelSection(checkpoint="x", max_pieces=48)).model
    assert masked.config.num_hidden_layers == 2


def test_pretraining_goes_on_with_what_texts_are_read_by(
    runs: Folders, encoder_folder: Path, tiny_bert: Path, tiny_recipe: Recipes, tmp_path: Path
) -> None:
    by_first = sentence_encoder(tiny_bert, tmp_path / "first", pooling_mode_cls_token=True)
    for number, (start, pooling) in enumerate(
        ((encoder_folder, "mean"), (runs(), "mean"), (by_first, "first"), (tiny_bert, None))
    ):
        few = {"epochs": 0.1, "texts": None}
        path = tiny_recipe("classification", checkpoint=start, pretraining=few)
        run, _ = pretrain(load_recipe(str(path)), output=tmp_path / str(number))
        assert trained_pooling(run / "model") == pooling
        assert build(run / "model").model.config.num_hidden_layers == (
            3 if pooling == "mean" else 2
        )


def test_a_head_is_carried_over_where_it_reads_the_same(
    runs: Folders, tiny_recipe: Callable[..., Path]
) -> None:
    strategy = ["full", {"name": "intermediate_task", "head": "matched"}]
    path = tiny_recipe("classification", checkpoint=runs(), strategy=strategy)
    model = built(load_recipe(str(path))).loaded.model
    known = load_file(runs() / "model" / "model.safetensors")
    assert all(known[name].equal(tensor) for name, tensor in model.state_dict().items())
    with pytest.raises(UserError, match=r"model\.pooling: the head of this checkpoint reads mean"):
        built(load_recipe(str(path), ["model.pooling=first"]))


@pytest.mark.slow
def test_an_adapter_fits_a_base_that_averages(runs: Folders) -> None:
    """Its own model does, or reads pieces, where the base has a layer more."""
    lora = {"name": "lora", "rank": 2, "merge": False}
    for task in ("classification", "ner"):
        run = runs(f"on-run-{task}", task, checkpoint=runs(), strategy=lora)
        written = [json.loads(line) for line in (run / "predictions.jsonl").open("rb")]
        predictor = Predictor.from_run(run, precision="fp32")
        key = "tokens" if task == "ner" else "text"
        found = list(predictor([{key: row[key]} for row in written]))
        answer = "tags" if task == "ner" else "label"
        assert [one[answer] for one in found] == [row[answer] for row in written]


def test_what_is_known_of_a_text_is_read_below_the_readout(tiny_bert: Path) -> None:
    plain, pooled = build(tiny_bert).model.eval(), build(tiny_bert, pooling="mean").model.eval()
    inputs = batch([9, 4])
    with torch.no_grad(), features_behind_logits(plain), features_behind_logits(pooled):
        expected, found = plain(**inputs).logits[:, 4:], pooled(**inputs).logits[:, 4:]
    torch.testing.assert_close(found, expected)


@pytest.mark.slow
def test_states_of_pieces_end_below_the_readout(runs: Folders, tmp_path: Path) -> None:
    """A student that averages learns from the last states of a teacher that averages, or not."""
    for name, teacher in (
        ("taught", runs()),
        ("taught-first", runs("first-teacher", model={"pooling": "first"})),
    ):
        strategy = {"name": "distillation", "teacher": str(teacher), "hidden": 1.0}
        run = runs(name, strategy=["full", strategy])
        assert depth(run) == 3
    with pytest.raises(UserError, match="the student has the layers 0 to 1, the teacher 0 to 1"):
        runs("beyond", strategy=["full", {**strategy, "layers": {2: 1}}])


@pytest.mark.slow
@pytest.mark.parametrize("quantize", [None, "int8"])
def test_a_pooled_model_is_exported(quantize: str | None, runs: Folders, tmp_path: Path) -> None:
    run = shutil.copytree(runs(), tmp_path / "run")
    _, record = export(run, quantize=quantize)
    assert record.parity.agreement == 1
    both = zip(scores_of(run, engine="onnx", precision="auto"), scores_of(run), strict=True)
    for found, expected in both:
        assert found == pytest.approx(expected, abs=0.02 if quantize else 1e-4)


@pytest.mark.slow
def test_runs_that_average_are_merged_and_interpolated(runs: Folders, tmp_path: Path) -> None:
    other = runs("seed", training={"seed": 7})
    merged = merge([runs(), other], tmp_path / "merged")
    weights = [load_file(folder / "model.safetensors") for folder in (runs() / "model", merged)]
    readout = [name for name in weights[0] if ".layer.2." in name]
    assert len(readout) == 16
    assert all(weights[0][name].equal(weights[1][name]) for name in readout)
    moved = runs(
        "moved", strategy=["full", {"name": "interpolate", "lambda": 0.5, "source": str(other)}]
    )
    assert depth(moved) == 3
    with pytest.raises(UserError, match="are not of one architecture"):
        merge([runs(), runs("first-teacher", model={"pooling": "first"})], tmp_path / "no")


def test_what_labelled_words_says_that_it_does_not_tell_how_texts_are_read(
    runs: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    folder = runs("words", "ner") / "model"
    with caplog.at_level("INFO"):
        assert build(folder).model.config.num_hidden_layers == 2
    assert "model.pooling: first;" in caplog.text
    assert "was trained to label words" in caplog.text
    caplog.clear()
    with caplog.at_level("INFO"):
        build(folder, pooling="mean")
        build(folder, NerTask())
    assert "was trained to label words" not in caplog.text


@pytest.mark.parametrize("own", ["ner", pytest.param("classification", marks=pytest.mark.slow)])
def test_tasks_of_pieces_and_of_texts_share_an_encoder_that_pools_by_the_first(
    own: str, runs: Folders, data_folder: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    side = "classification" if own == "ner" else "ner"
    tasks = {"side": {"task": {"name": side}, "data": {"source": str(data_folder(side))}}}
    strategy = ["full", {"name": "multi_task", "side_tasks": tasks}]
    with caplog.at_level("INFO"):
        run = runs(f"both-{own}", own, strategy=strategy)
    assert caplog.text.count("model.pooling: first") == 1
    assert depth(run) == 2
    assert len(list(Predictor.from_run(run / "tasks" / "side")(SHORT))) == 3
    assert load_recipe(str(run)).model.pooling == "auto", "so that it is the same recipe again"
    with pytest.raises(UserError, match=r"model\.pooling is mean.*answers for each piece"):
        runs(f"no-{own}", own, strategy=strategy, model={"pooling": "mean"})


@pytest.mark.slow
def test_two_tasks_of_texts_share_a_readout(
    runs: Folders, data_folder: Callable[[str], Path]
) -> None:
    source = {"source": str(data_folder("classification"))}
    tasks = {"side": {"task": {"name": "classification"}, "data": source}}
    run = runs("pair", strategy=["full", {"name": "multi_task", "side_tasks": tasks}])
    assert depth(run) == 3
    written = [json.loads(line) for line in (run / "predictions.jsonl").open("rb")]
    found = list(Predictor.from_run(run)([{"text": row["text"]} for row in written]))
    assert [one["label"] for one in found] == [row["label"] for row in written]
    side = Predictor.from_run(run / "tasks" / "side").loaded.model
    assert len(layers_of(side).modules) == side.config.num_hidden_layers - 1 == 2


def test_the_pooled_families_are_all_that_can() -> None:
    assert {*WITH_READOUT, *WITHOUT, "modernbert"} >= {*FAMILIES}
