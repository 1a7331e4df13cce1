"""`nlpt pretrain`: what is hidden, what is learned, and a run folder that is a checkpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from interrupting import interrupted
from safetensors.torch import load_file
from tiny import FAMILIES

from nlp_transfer import finetune, load_recipe, pretrain
from nlp_transfer.data.masking import MaskedWindows, cut_texts
from nlp_transfer.errors import UserError
from nlp_transfer.models.loading import load_tokenizer
from nlp_transfer.tasks.objective import IGNORED

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]
TEXTS = ["Ada Lovelace visited Port-au-Prince again today .", "Globex sued Initech Ltd. quietly"]


def masked(folder: Path, **settings: Any) -> tuple[MaskedWindows, list[Any], Any]:
    tokenizer = load_tokenizer(folder)
    windows = list(cut_texts(TEXTS * 50, tokenizer, max_pieces=32))
    options = {"mask": 0.3, "whole_words": True, "seed": 1, **settings}
    return MaskedWindows(windows, tokenizer, **options), windows, tokenizer


@pytest.mark.parametrize("family", FAMILIES)
def test_words_are_hidden_whole_and_labels_are_the_pieces(family: str, checkpoint: Any) -> None:
    data, windows, tokenizer = masked(checkpoint(family))
    guessed = shown_as_mask = 0
    for number, window in enumerate(windows):
        row = data[number]
        hidden = {place for place, label in enumerate(row["labels"]) if label != IGNORED}
        assert hidden
        words = {window["word"][place] for place in hidden}
        assert -1 not in words, "special pieces are never hidden"
        assert hidden == {p for p, word in enumerate(window["word"]) if word in words}
        for place, piece in enumerate(window["input_ids"]):
            if place in hidden:
                assert row["labels"][place] == piece
                guessed += 1
                shown_as_mask += row["input_ids"][place] == tokenizer.mask_token_id
            else:
                assert row["input_ids"][place] == piece
    pieces = sum(word >= 0 for window in windows for word in window["word"])
    assert guessed / pieces == pytest.approx(0.3, abs=0.05)
    assert shown_as_mask / guessed == pytest.approx(0.8, abs=0.06)


def test_masks_change_with_the_epoch_and_depend_on_nothing_else(tiny_bert: Path) -> None:
    first, _, _ = masked(tiny_bert)
    second, _, _ = masked(tiny_bert)
    list(second)  # what was read before does not matter
    assert first[7] == second[7]
    first.set_epoch(1)
    assert first[7] != second[7]
    assert set(first[~7]["labels"]) == {IGNORED}


def test_long_texts_are_read_to_their_ends(tiny_bert: Path) -> None:
    tokenizer = load_tokenizer(tiny_bert)
    text = " ".join(f"word{number}" for number in range(200))
    windows = list(cut_texts([text], tokenizer, max_pieces=16))
    pieces = [piece for window in windows for piece in window["input_ids"][1:-1]]
    assert pieces == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert max(len(window["input_ids"]) for window in windows) <= 16


@pytest.mark.parametrize("task", ["ner", "classification"])
def test_run_learns_to_guess_and_is_a_checkpoint(
    task: str, tmp_path: Path, tiny_recipe: Recipes, nlpt: Any
) -> None:
    path = tiny_recipe(task, pretraining={"epochs": 4, "learning_rate": 3e-3})
    run = tmp_path / "run"
    code, out, err = nlpt("pretrain", "--recipe", path, "--output", run)
    assert code == 0, err
    assert f"model.checkpoint={run}" in out
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    assert metrics["held_out"]["after"]["loss"] < metrics["held_out"]["before"]["loss"]
    assert metrics["training"]["texts"] + metrics["training"]["held_out_texts"] == 48
    assert not (run / "checkpoints").exists()
    report = finetune(
        load_recipe(str(path), [f"model.checkpoint={run}", "training.epochs=1"]),
        output=tmp_path / "tuned",
    )
    assert report.metrics["training"]["steps"]
    again = nlpt("pretrain", "--recipe", path, "--output", run, "--json")
    assert json.loads(again[1]) == metrics
    assert "is finished" in again[2]
    assert nlpt("report", run)[0] == 2


def test_interrupted_run_ends_with_the_same_weights(tmp_path: Path, tiny_recipe: Recipes) -> None:
    recipe = load_recipe(str(tiny_recipe(pretraining={"epochs": 2})))
    whole, metrics = pretrain(recipe, output=tmp_path / "whole")
    in_the_second_epoch = metrics["training"]["steps"] - 1
    with interrupted(at_step=in_the_second_epoch), pytest.raises(KeyboardInterrupt):
        pretrain(recipe, output=tmp_path / "cut")
    cut, _ = pretrain(recipe, output=tmp_path / "cut")
    left, right = (load_file(run / "model" / "model.safetensors") for run in (whole, cut))
    assert all(left[name].equal(right[name]) for name in left)


def test_accumulation_gives_the_same_step(tmp_path: Path, tiny_recipe: Recipes) -> None:
    def weights(tokens: int) -> dict[str, torch.Tensor]:
        arguments = {"max_steps": 2}
        training = {"optimizer": "sgd", "warmup": 0, "arguments": arguments}
        training["tokens_at_once"] = tokens
        path = tiny_recipe(
            training=training,
            pretraining={"tokens_per_batch": 200, "learning_rate": 0.3},
        )
        run, _ = pretrain(load_recipe(str(path)), output=tmp_path / str(tokens))
        return load_file(run / "model" / "model.safetensors")

    once, split = weights(200), weights(50)
    for name, tensor in once.items():
        torch.testing.assert_close(split[name], tensor, rtol=0, atol=1e-6)


def test_texts_of_a_file_are_read_instead(tmp_path: Path, tiny_recipe: Recipes) -> None:
    texts = tmp_path / "domain.txt"
    texts.write_text("\n".join(TEXTS * 5) + "\n\n", "utf-8")
    path = tiny_recipe(pretraining={"texts": str(texts), "epochs": 1, "held_out": 0.2})
    _, metrics = pretrain(load_recipe(str(path)), output=tmp_path / "run")
    assert (metrics["training"]["texts"], metrics["training"]["held_out_texts"]) == (8, 2)


@pytest.mark.parametrize(
    ("content", "section", "message"),
    [
        (None, {}, "pretraining.texts: there is no file"),
        ("\n \n", {}, "there is no text"),
        ("one text\n", {}, "1 text is too little"),
        ("a b\nc d\n", {"mask": 0}, "pretraining.mask"),
        ("a b\nc d\n", {"mask": 1}, "pretraining.mask"),
        ("a b\nc d\n", {"epochs": 0}, "pretraining.epochs"),
    ],
)
def test_what_cannot_be_read_is_refused(
    content: str | None, section: Any, message: str, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    texts = tmp_path / "texts.txt"
    if content is not None:
        texts.write_text(content, "utf-8")
    path = tiny_recipe(pretraining={"texts": str(texts), **section})
    with pytest.raises(UserError, match=message):
        pretrain(load_recipe(str(path)), output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_damaged_checkpoint_is_said_to_be_one(
    tmp_path: Path, tiny_recipe: Recipes, tiny_bert: Path
) -> None:
    damaged = shutil.copytree(tiny_bert, tmp_path / "damaged")
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match=r"model.checkpoint: .*damaged.* cannot be read"):
        pretrain(load_recipe(str(tiny_recipe(checkpoint=damaged))), output=tmp_path / "run")


def test_folder_of_a_finetuning_run_is_refused(tmp_path: Path, tiny_recipe: Recipes) -> None:
    recipe = load_recipe(str(tiny_recipe(training={"epochs": 1})))
    finetune(recipe, output=tmp_path / "run")
    with pytest.raises(UserError, match="different recipe"):
        pretrain(recipe, output=tmp_path / "run")
