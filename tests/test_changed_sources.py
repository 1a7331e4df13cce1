"""A run, and then other data, texts or weights under the same names: nothing old passes as new."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from damaging import made_by_hand
from interrupting import interrupted, interrupted_forward
from safetensors.torch import load_file, save_file
from tiny import build_checkpoint, tagged_sentences, write_conll, write_data

from nlp_transfer.manifest import write_manifest

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
Recipes = Callable[..., Path]


def _retrained(folder: Path) -> None:
    """Change the weights of a model under the same names."""
    file = next(iter(folder.rglob("model.safetensors")))
    save_file({name: w * 1.01 for name, w in load_file(file).items()}, file, {"format": "pt"})
    write_manifest(file.parent)  # that of a model that was trained anew


def _test_split(data: Path, count: int) -> None:
    write_conll(data / "test.conll", tagged_sentences(count, seed=5))


def test_finished_run_is_not_shown_as_the_result_of_other_data(
    nlpt: Run, tiny_recipe: Recipes, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "data", "ner")
    recipe = tiny_recipe(source=data, training={"epochs": 1})
    command = ("finetune", "-r", recipe)
    _, first, _ = nlpt(*command)
    _test_split(data, 15)
    for arguments in (command, (*command, "--json")):
        code, out, err = nlpt(*arguments)
        assert (code, out) == (2, "")
        assert "test split: 12 examples then, 15 now" in err
        assert "train split" not in err
        assert "nlpt report runs/tiny" in err
    assert nlpt("report", "runs/tiny")[1] == first
    code, anew, _ = nlpt(*command, "--fresh")
    assert (code, anew != first) == (0, True)
    _test_split(data, 15)  # written again, with the same content
    assert nlpt(*command)[:2] == (0, anew)


def test_as_many_other_examples_are_other_data(
    nlpt: Run, tiny_recipe: Recipes, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "data", "classification")
    recipe = tiny_recipe("classification", source=data, training={"epochs": 1})
    assert nlpt("finetune", "-r", recipe)[0] == 0
    file = data / "train.csv"
    file.write_text(file.read_text("utf-8").replace("parcel", "package"), encoding="utf-8")
    code, _, err = nlpt("finetune", "-r", recipe)
    assert code == 2
    assert "train split: 48 examples then, 48 now, of other content" in err


def test_data_that_is_gone_leaves_the_report_with_a_word(
    nlpt: Run, tiny_recipe: Recipes, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "data", "ner")
    recipe = tiny_recipe(source=data, training={"epochs": 1})
    _, first, _ = nlpt("finetune", "-r", recipe)
    shutil.move(data, tmp_path / "elsewhere")
    code, again, err = nlpt("finetune", "-r", recipe)
    assert (code, again) == (0, first)
    assert "not compared with its data, which cannot be read now" in err


def test_finished_run_of_an_older_version_is_compared_too(
    nlpt: Run, tiny_recipe: Recipes, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "data", "ner")
    recipe = tiny_recipe(source=data, training={"epochs": 1})
    assert nlpt("finetune", "-r", recipe)[0] == 0
    known = json.loads(Path("runs/tiny/data.json").read_text("utf-8"))
    del known["read"]
    made_by_hand(Path("runs/tiny"))
    Path("runs/tiny/data.json").write_text(json.dumps(known), encoding="utf-8")
    assert nlpt("finetune", "-r", recipe)[0] == 0
    _test_split(data, 15)
    assert nlpt("finetune", "-r", recipe)[0] == 2


@pytest.mark.parametrize("finished", [True, False])
def test_checkpoint_with_other_weights_under_its_name_is_noticed(
    finished: bool,
    nlpt: Run,
    tiny_recipe: Recipes,
    tmp_path: Path,
) -> None:
    own = build_checkpoint("bert", tmp_path / "own")
    recipe = tiny_recipe(checkpoint=own, strategy="lora", training={"epochs": 1})
    with nullcontext() if finished else interrupted(at_step=1):
        assert nlpt("finetune", "-r", recipe)[0] == (0 if finished else 130)
    _retrained(own)
    code, _, err = nlpt("finetune", "-r", recipe)
    assert code == 2
    assert "model.checkpoint: other content" in err
    assert "split" not in err


def test_every_file_and_model_that_a_strategy_reads_is_compared(
    nlpt: Run, tiny_recipe: Recipes, tmp_path: Path, trained_ner: Path
) -> None:
    quick = {"epochs": 1}
    shutil.copytree(trained_ner, "teacher")
    texts, names = tmp_path / "texts.txt", tmp_path / "names.tsv"
    texts.write_text("Ada left Rome yesterday\nNobody met Alan\n", encoding="utf-8")
    names.write_text("Rome\tLOC\n", encoding="utf-8")
    teacher = str(Path("teacher").absolute())
    strategies: dict[str, dict[str, Any]] = {
        "pseudo_labels": {"teacher": teacher, "texts": str(texts), "threshold": 0},
        "gazetteer": {"dictionary": str(names), "texts": str(texts)},
        "distillation": {"teacher": teacher},
        "interpolate": {"source": teacher, "lambda": 0.5},
    }
    for name, options in strategies.items():
        strategy = {"name": name, **options}
        recipe = tiny_recipe(path=tmp_path / f"{name}.yaml", strategy=strategy, training=quick)
        command = ("finetune", "-r", recipe, "-o", name)
        assert nlpt(*command)[0] == 0, name
        assert nlpt(*command)[0] == 0, name
    _retrained(Path("teacher/model"))
    texts.write_text("Ada left Oslo yesterday\n", encoding="utf-8")
    names.write_text("Oslo\tLOC\n", encoding="utf-8")
    for name, options in strategies.items():
        code, _, err = nlpt("finetune", "-r", tmp_path / f"{name}.yaml", "-o", name)
        assert code == 2, name
        for key in options.keys() & {"teacher", "texts", "dictionary", "source"}:
            assert f"strategies {name}: {key}: other content" in err


def test_data_of_a_side_task_is_compared(nlpt: Run, tiny_recipe: Recipes, tmp_path: Path) -> None:
    data = write_data(tmp_path / "topics", "classification")
    side = {"task": {"name": "classification"}, "data": {"source": str(data)}}
    recipe = tiny_recipe(
        strategy={"name": "multi_task", "side_tasks": {"topics": side}}, training={"epochs": 1}
    )
    assert nlpt("finetune", "-r", recipe)[0] == 0
    assert nlpt("finetune", "-r", recipe)[0] == 0
    lines = (data / "train.csv").read_text("utf-8").splitlines(keepends=True)
    (data / "train.csv").write_text("".join(lines[:-2]), encoding="utf-8")
    code, _, err = nlpt("finetune", "-r", recipe)
    assert code == 2
    assert "topics, train split: 48 examples then, 46 now" in err


def test_finished_pretraining_is_compared_with_its_texts(
    nlpt: Run, tiny_recipe: Recipes, checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("Ada left Rome\nAlan met Ada\nNobody came\n" * 3, encoding="utf-8")
    recipe = tiny_recipe(
        checkpoint=checkpoint("bert", masked_lm=True),
        pretraining={"texts": str(texts), "epochs": 1},
    )
    _, first, _ = nlpt("pretrain", "-r", recipe)
    assert nlpt("pretrain", "-r", recipe)[:2] == (0, first)
    texts.write_text("Ada left Oslo\n" * 8, encoding="utf-8")
    code, out, err = nlpt("pretrain", "-r", recipe)
    assert (code, out) == (2, "")
    assert "texts: 9 examples then, 8 now" in err
    assert nlpt("pretrain", "-r", recipe, "--fresh")[0] == 0


def test_prepared_data_is_not_used_for_other_data_or_another_tokenizer(
    nlpt: Run, tiny_recipe: Recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPT_CACHE", str(tmp_path / "cache"))
    data = write_data(tmp_path / "data", "ner")
    own = build_checkpoint("bert", tmp_path / "own")
    recipe = tiny_recipe(source=data, checkpoint=own)

    def folders() -> dict[str, str]:
        folders: dict[str, str] = json.loads(nlpt("prepare", "-r", recipe, "--json")[1])["folders"]
        return folders

    before = folders()
    _test_split(data, 15)
    after = folders()
    assert {split for split in before if before[split] != after[split]} == {"test"}
    settings = json.loads((own / "tokenizer_config.json").read_text("utf-8"))
    settings["do_lower_case"] = True
    (own / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    lowercase = folders()
    assert all(lowercase[split] != after[split] for split in after)


def test_prediction_that_goes_on_is_of_the_same_model(
    nlpt: Run, tmp_path: Path, trained_ner: Path
) -> None:
    shutil.copytree(trained_ner, "run")
    texts = tmp_path / "texts.txt"
    texts.write_text("Ada left Rome\n", encoding="utf-8")

    command = ("predict", "run", texts, "--precision", "fp32", "-o", "found.jsonl")
    with interrupted_forward():
        assert nlpt(*command)[0] == 130
    _retrained(Path("run/model"))
    code, _, err = nlpt(*command)
    assert (code, "the results of another job" in err, "models: " in err) == (2, True, True)
