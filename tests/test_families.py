"""Every family, by every strategy, for every task: train two steps, save, reload, same answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from tiny import FAMILIES, INVISIBLE
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedModel,
)

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.models.build import build_model
from nlp_transfer.models.loading import load_tokenizer
from nlp_transfer.models.windows import WordPieces
from nlp_transfer.recipe import ModelSection
from nlp_transfer.tasks.ner.task import NerTask

pytestmark = pytest.mark.usefixtures("one_thread")

RANK = 4
STRATEGIES: dict[str, Any] = {
    "full": "full",
    "frozen": {"name": "frozen", "head": "trained"},
    "lora": {"name": "lora", "rank": RANK, "alpha": 8},
}
LABELS = {
    "ner": {"O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"},
    "classification": {"order", "refund", "praise"},
}
AUTO_CLASSES = {
    "ner": AutoModelForTokenClassification,
    "classification": AutoModelForSequenceClassification,
}
RUN_FILES = {
    "recipe.yaml", "environment.json", "data.json", "metrics.json", "report.md", "report.html",
    "predictions.jsonl", "log.jsonl", "README.md", "model", "manifest.json",
}  # fmt: skip

# Loads models in a process that has trained none, and answers with what they predict.
READER = """
import json, sys, torch
torch.set_num_threads(1)
from nlp_transfer import Predictor
for line in sys.stdin:
    folder, items = json.loads(line)
    print(json.dumps(list(Predictor.from_run(folder, precision="fp32")(items))), flush=True)
"""


@pytest.fixture(scope="module")
def fresh_process() -> Iterator[Callable[[Path, list[Any]], list[Any]]]:
    """Return a function that predicts with a model folder in another process."""
    command = [sys.executable, "-c", READER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:

        def predict(folder: Path, items: list[Any]) -> list[Any]:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps([str(folder), items]) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield predict
        assert process.stdin
        process.stdin.close()


def _ways() -> Iterator[Any]:
    """Yield every family, strategy and task; those that differ in nothing of their own are slow.

    What is frozen, or gets adapters, is the encoder, whatever the task; only heads for
    classification have weights of a family's own beside it (a pooler, a dense layer).
    """
    for family, strategy, task in product(FAMILIES, STRATEGIES, LABELS):
        is_told = family == "bert" or strategy == "full" or task == "classification"
        marks = () if is_told else (pytest.mark.slow,)
        yield pytest.param(family, strategy, task, marks=marks, id=f"{family}-{strategy}-{task}")


@pytest.mark.parametrize(("family", "strategy", "task"), _ways())
def test_trained_model_reloads_with_the_same_predictions(
    family: str,
    strategy: str,
    task: str,
    tmp_path: Path,
    checkpoint: Callable[..., Path],
    tiny_recipe: Callable[..., Path],
    fresh_process: Callable[[Path, list[Any]], list[Any]],
) -> None:
    start = checkpoint(family)
    run = tmp_path / "run"
    _train(tiny_recipe, run, task=task, checkpoint=start, strategy=STRATEGIES[strategy])

    expected_files = RUN_FILES | ({"adapter"} if strategy == "lora" else set())
    assert {path.name for path in run.iterdir()} == expected_files
    config = json.loads((run / "model" / "config.json").read_text("utf-8"))
    assert set(config["id2label"].values()) == LABELS[task]
    assert {config["id2label"][str(i)]: i for i in range(len(LABELS[task]))} == config["label2id"]

    model = _untrained(start, task, len(LABELS[task]))
    figures = json.loads((run / "metrics.json").read_text("utf-8"))["training"]
    assert figures["trainable_parameters"] == _trainable(model, start, strategy)
    assert figures["steps"] == 2

    written = [json.loads(line) for line in (run / "predictions.jsonl").open(encoding="utf-8")]
    _assert_same(fresh_process(run, [_item(row) for row in written]), written)
    if strategy == "lora":
        _assert_same(fresh_process(run / "adapter", [_item(row) for row in written]), written)
    _assert_only_the_trainable_moved(run / "model", start, model, strategy)


@pytest.mark.parametrize("family", ["bert", "albert"])
@pytest.mark.parametrize("strategy", ["frozen", "lora"])
def test_pooler_that_the_checkpoint_lacks_is_trained_with_the_head(
    family: str, strategy: str, tmp_path: Path, checkpoint: Any, tiny_recipe: Any
) -> None:
    start = checkpoint(family, masked_lm=True)
    run = tmp_path / "run"
    chosen = STRATEGIES[strategy]
    _train(tiny_recipe, run, task="classification", checkpoint=start, strategy=chosen)
    model = _untrained(start, "classification", 3)
    assert any("pooler" in name for name in _new_names(model, start))
    figures = json.loads((run / "metrics.json").read_text("utf-8"))["training"]
    assert figures["trainable_parameters"] == _trainable(model, start, strategy)
    written = [json.loads(line) for line in (run / "predictions.jsonl").open(encoding="utf-8")]
    folders = [run, run / "adapter"] if strategy == "lora" else [run]
    for folder in folders:
        predictor = Predictor.from_run(folder, precision="fp32")
        _assert_same(list(predictor([_item(row) for row in written])), written)


def test_unmerged_lora_model_is_an_adapter_with_its_labels(
    tmp_path: Path, tiny_recipe: Any
) -> None:
    run = tmp_path / "run"
    _train(tiny_recipe, run, task="ner", strategy={"name": "lora", "rank": RANK, "merge": False})
    assert (run / "model" / "adapter_config.json").is_file()
    written = [json.loads(line) for line in (run / "predictions.jsonl").open(encoding="utf-8")]
    predictor = Predictor.from_run(run, precision="fp32")
    _assert_same(list(predictor([_item(row) for row in written])), written)


@pytest.mark.parametrize(("family", "layers"), [("bert", 1), ("distilbert", 1), ("modernbert", 1)])
def test_frozen_layers_keep_embeddings_and_lowest_layers(
    family: str, layers: int, tmp_path: Path, checkpoint: Any, tiny_recipe: Any
) -> None:
    start = checkpoint(family)
    run = tmp_path / "run"
    strategy = {"name": "frozen", "layers": layers}
    _train(tiny_recipe, run, task="ner", checkpoint=start, strategy=strategy)
    moved = _moved(run / "model", start, _untrained(start, "ner", 7))
    assert not any("embeddings" in name or ".0." in name for name in moved)
    assert any(".1." in name for name in moved)


def test_frozen_layers_of_albert_are_its_shared_ones(
    tmp_path: Path, checkpoint: Any, tiny_recipe: Any
) -> None:
    start = checkpoint("albert")
    with pytest.raises(UserError, match="layers is 2, this checkpoint has 1"):
        _train(
            tiny_recipe,
            tmp_path / "too many",
            checkpoint=start,
            strategy={"name": "frozen", "layers": 2},
        )
    run = tmp_path / "run"
    _train(tiny_recipe, run, checkpoint=start, strategy={"name": "frozen", "layers": 1})
    moved = _moved(run / "model", start, _untrained(start, "ner", 7))
    assert not moved, "the one group is all of the encoder"


@pytest.mark.parametrize("family", ["bert", "roberta", "mpnet", "xlm-roberta"])
def test_windows_may_fill_all_positions_and_no_more(
    family: str, tmp_path: Path, checkpoint: Any, tiny_recipe: Any
) -> None:
    start = checkpoint(family)
    with pytest.raises(UserError, match=r"max_pieces is 65, this checkpoint reads at most 64"):
        _train(tiny_recipe, tmp_path / "no", checkpoint=start, model={"max_pieces": 65})
    run = tmp_path / "run"
    _train(tiny_recipe, run, checkpoint=start, model={"max_pieces": 64})
    long = {"tokens": ["Ada"] * 200}
    (result,) = Predictor.from_run(run, precision="fp32")([long])
    assert len(result["tags"]) == 200


@pytest.mark.parametrize("family", ["roberta", "modernbert"])
def test_byte_level_words_are_spelled_as_after_a_blank(
    family: str, tmp_path: Path, checkpoint: Any
) -> None:
    folder = checkpoint(family)
    tokenizer = load_tokenizer(folder)
    words = ["Ada", "visited", "Port-au-Prince", "."]
    pieces = WordPieces(tokenizer).learn(words)
    of_words = [piece for word in words for piece in pieces[word].ids]
    assert of_words == tokenizer(" ".join(words), add_special_tokens=False)["input_ids"]
    assert all(tokenizer.convert_ids_to_tokens(pieces[w].ids[0]).startswith("Ġ") for w in words)
    tokenizer.save_pretrained(tmp_path)
    again = WordPieces(load_tokenizer(tmp_path)).learn(words)
    assert [again[word] for word in words] == [pieces[word] for word in words]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_word_gets_a_piece_whatever_the_tokenizer_drops(family: str, checkpoint: Any) -> None:
    folder = checkpoint(family)
    tokenizer = load_tokenizer(folder)
    task, options = NerTask(name="ner"), ModelSection(checkpoint=str(folder), max_pieces=16)
    loaded = build_model(folder, task.head.new(["PER"]), options)
    words = ["Ada", INVISIBLE, "\u200b", "Supercalifragilisticexpialidocious" * 3, "."] * 3
    encode = task.windows.encode
    ids = loaded.model.config.label2id
    ((windows, ledger),) = encode([{"words": words}], loaded.tokenizer, ids, options)
    assert sum(len(window["positions"]) for window in windows) == ledger.words == len(words)
    assert all(len(window["input_ids"]) <= 16 for window in windows)
    specials = {tokenizer.cls_token_id, tokenizer.sep_token_id}
    for window in windows:
        ids = window["input_ids"]
        assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
        assert specials.isdisjoint(ids[1:-1])


def _train(tiny_recipe: Callable[..., Path], run: Path, **recipe: Any) -> None:
    """Run two steps in this process."""
    training = {"epochs": 1, "arguments": {"max_steps": 2}}
    finetune(load_recipe(str(tiny_recipe(training=training, **recipe))), output=run)


def _untrained(start: Path, task: str, labels: int) -> PreTrainedModel:
    """Build the model with its head from the checkpoint's configuration alone."""
    config = AutoConfig.from_pretrained(start, num_labels=labels)
    return AUTO_CLASSES[task].from_config(config)


def _known_weights(start: Path) -> dict[str, Any]:
    """Read a checkpoint's tensors under their names in the bare encoder."""
    with safe_open(start / "model.safetensors", "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    prefix = f"{next(iter(tensors)).split('.')[0]}."
    with_head = any(name.startswith(("cls.", "predictions.")) for name in tensors)
    return {name.removeprefix(prefix) if with_head else name: t for name, t in tensors.items()}


def _new_names(model: PreTrainedModel, start: Path) -> set[str]:
    """Name the parameters of a model that the checkpoint's file does not have."""
    known = _known_weights(start)
    prefix = f"{model.base_model_prefix}."
    return {
        name
        for name, _ in model.named_parameters()
        if not name.startswith(prefix) or name.removeprefix(prefix) not in known
    }


def _trainable(model: PreTrainedModel, start: Path, strategy: str) -> int:
    """Count what should learn, from the model and the checkpoint's file alone."""
    if strategy == "full":
        return sum(parameter.numel() for parameter in model.parameters())
    new = _new_names(model, start)
    head = sum(p.numel() for name, p in model.named_parameters() if name in new)
    if strategy == "frozen":
        return head
    adapted = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and f"{name}.weight" not in new
    ]
    return head + sum(RANK * (m.in_features + m.out_features) for m in adapted)


def _moved(saved: Path, start: Path, model: PreTrainedModel) -> set[str]:
    """Name the encoder's parameters that differ between a checkpoint and a saved model."""
    prefix = f"{model.base_model_prefix}."
    before = _known_weights(start)
    with safe_open(saved / "model.safetensors", "pt") as file:
        after = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    names = {name for name, _ in model.named_parameters()}
    assert names <= set(after)
    inside = {name for name in names if name.removeprefix(prefix) in before and prefix in name}
    return {name for name in inside if not before[name.removeprefix(prefix)].equal(after[name])}


def _assert_only_the_trainable_moved(
    saved: Path, start: Path, model: PreTrainedModel, strategy: str
) -> None:
    moved = _moved(saved, start, model)
    if strategy == "frozen":
        assert not moved
    elif strategy == "lora":
        linear = {n for n, m in model.named_modules() if isinstance(m, nn.Linear)}
        assert moved
        assert {name.rpartition(".")[0] for name in moved} <= linear
    else:
        assert moved


def _item(row: dict[str, Any]) -> dict[str, Any]:
    return {"tokens": row["tokens"]} if "tokens" in row else {"text": row["text"]}


def _assert_same(found: list[dict[str, Any]], written: list[dict[str, Any]]) -> None:
    """Compare predictions with those of a run: equal labels, scores to 1e-5."""
    assert len(found) == len(written)
    for ours, theirs in zip(found, written, strict=True):
        if "tags" in theirs:
            assert ours["tags"] == theirs["tags"]
            assert len(ours["tags"]) == len(theirs["tokens"])
            scores = [[entity["score"] for entity in side["entities"]] for side in (ours, theirs)]
            assert scores[0] == pytest.approx(scores[1], abs=1e-5)
        else:
            assert ours["label"] == theirs["label"]
            assert ours["scores"] == pytest.approx(theirs["scores"], abs=1e-5)
