"""`nlpt export`: ONNX in fp32 and int8, checked against its model, and predicting with it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from damaging import made_by_hand
from safetensors.torch import load_file, save_file
from tiny import FAMILIES, write_recipe

from nlp_transfer import Predictor, UserError, finetune, load_recipe

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
SENTENCES = ["Ada Lovelace visited São Paulo today .", "", "Globex sued Alan Turing yesterday ."]


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory,
    data_folder: Callable[[str], Path],
    checkpoint: Callable[..., Path],
) -> Callable[..., Path]:
    """Return a function that trains a run, once a kind; tests must not change it."""
    folder = tmp_path_factory.mktemp("runs")

    def train(task: str = "ner", family: str = "bert", strategy: Any = "full") -> Path:
        name = strategy if isinstance(strategy, str) else strategy["name"]
        run = folder / f"{task}-{family}-{name}"
        size = (
            {"num_hidden_layers": 1} if family == "bert" else {}
        )  # a second layer is as the first
        if not run.exists():
            recipe = write_recipe(
                run.with_suffix(".yaml"),
                task=task,
                data=data_folder(task),
                checkpoint=checkpoint(family, **size),
                strategy=strategy,
                training={"epochs": 6},
            )
            finetune(load_recipe(str(recipe)), output=run)
        return run

    return train


@pytest.fixture(scope="module")
def exported(runs: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy a run of NER, and export it into onnx/ in it."""
    from nlp_transfer.flows.export import export

    run = shutil.copytree(runs(), tmp_path_factory.mktemp("exported") / "run")
    export(run, recipe=load_recipe(str(run)))
    return run


def test_onnx_predicts_as_pytorch_does(nlpt: Run, exported: Path) -> None:
    text = "\n".join(SENTENCES) + "\n"
    code, out, err = nlpt("predict", exported, "-", "--engine", "onnx", stdin=text)
    assert code == 0, err
    torch = nlpt("predict", exported, "-", "--precision", "fp32", stdin=text)[1]
    assert [_tags(line) for line in out.splitlines()] == [
        _tags(line) for line in torch.splitlines()
    ]
    rows = [{"words": text.split()} for text in SENTENCES]
    both = zip(
        Predictor.from_run(exported, engine="onnx").distributions(rows),
        Predictor.from_run(exported, precision="fp32").distributions(rows),
        strict=True,
    )
    for found, expected in both:
        assert found == pytest.approx(expected, abs=1e-4)


def test_exported_folder_stands_alone(nlpt: Run, exported: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(exported / "onnx", tmp_path / "alone")
    text = SENTENCES[0] + "\n"
    expected = nlpt("predict", exported, "-", "--engine", "onnx", stdin=text)[1]
    assert nlpt("predict", alone, "-", stdin=text) == (0, expected, "")
    code, _, err = nlpt("predict", alone, "-", "--engine", "torch", stdin=text)
    assert code == 2
    assert "holds an ONNX model only" in err


def test_export_splits_text_as_the_run_does(exported: Path) -> None:
    words = Predictor.from_run(exported, engine="torch").words
    assert words.sentences == 48
    assert Predictor.from_run(exported, engine="onnx").words == words


def test_record_says_what_was_measured(exported: Path) -> None:
    record = json.loads((exported / "onnx" / "export.json").read_text("utf-8"))
    assert record["parity"]["agreement"] == 1
    assert record["parity"]["split"] == "test"
    assert record["parity"]["examples"] == 12
    assert record["parity"]["f1"]["change"] == 0
    assert record["parity"]["examples_per_second"]["ratio"] > 0
    assert set(record["versions"]) >= {"onnx", "onnxruntime", "torch"}
    assert sorted(path.name for path in (exported / "onnx").iterdir()) == [
        "config.json",
        "export.json",
        "manifest.json",
        "model.onnx",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_evaluate_scores_the_export(nlpt: Run, exported: Path) -> None:
    arguments = ("evaluate", exported, "-r", exported, "--json")
    scores = [
        json.loads(nlpt(*arguments, "--engine", engine)[1])["splits"]["test"]["entity"]
        for engine in ("torch", "onnx")
    ]
    assert scores[0] == scores[1]


def test_an_export_is_read_by_older_versions_unless_a_newer_opset_is_asked_for(
    nlpt: Run, exported: Path, tmp_path: Path
) -> None:
    import onnx

    def opset(folder: Path) -> int:
        model = onnx.load(folder / "model.onnx")
        assert model.ir_version <= 10  # what onnxruntime 1.20 reads
        return next(given.version for given in model.opset_import if not given.domain)

    assert opset(exported / "onnx") == 18
    code, out, err = nlpt("export", exported, "--opset", 23, "-o", tmp_path / "new", "--json")
    assert code == 0, err
    assert opset(tmp_path / "new") == json.loads(out)["opset"] == 23
    code, _, err = nlpt("export", exported, "--opset", 7, "-o", tmp_path / "none")
    assert code == 2
    assert "--opset: 7 is not written here (18 to 23)" in err
    assert not (tmp_path / "none").exists()


def test_int8_is_smaller_and_a_new_export_replaces_the_old(
    nlpt: Run, exported: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(exported, tmp_path / "run")
    before = (run / "onnx" / "model.onnx").stat().st_size
    code, out, err = nlpt(
        "export", run, "--quantize", "int8", "--min-agreement", 0.8, "--max-f1-drop", 1, "--json"
    )
    assert code == 0, err
    record = json.loads(out)
    assert record["quantize"] == "int8"
    assert record["folder"] == str(run / "onnx")
    assert (run / "onnx" / "model.onnx").stat().st_size < before
    code, out, _ = nlpt("predict", run, "-", "--engine", "onnx", stdin="Ada left Rome\n")
    assert code == 0
    assert len(json.loads(out)["tags"]) == 3


def test_export_that_predicts_otherwise_is_not_kept(
    nlpt: Run, runs: Callable[..., Path], tmp_path: Path
) -> None:
    run = made_by_hand(shutil.copytree(runs(), tmp_path / "run"))
    weights = load_file(run / "model" / "model.safetensors")
    weights["classifier.weight"].normal_(generator=torch.Generator().manual_seed(0))
    # Large numbers that cancel out; eight bits for them and the others leave nothing of the others.
    weights["bert.embeddings.word_embeddings.weight"][:, 0] += 100
    weights["bert.embeddings.position_embeddings.weight"][:, 0] -= 100
    save_file(weights, run / "model" / "model.safetensors", metadata={"format": "pt"})
    code, out, err = nlpt("export", run, "--quantize", "int8", "-o", "new/folder")
    assert code == 2
    assert out == ""
    assert "The export is not kept" in err
    assert "--min-agreement" in err
    assert list(Path("new").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "tflite"], "--format: 'tflite' is unknown (onnx)"),
        (["--quantize", "int2"], "--quantize: 'int2' is unknown (int8)"),
        (["-o", "there"], "there exists already"),
        (["-r", "no-such-recipe"], "no-such-recipe"),
    ],
)
def test_bad_options_are_refused(
    arguments: list[str], message: str, nlpt: Run, runs: Callable[..., Path]
) -> None:
    Path("there").mkdir()
    code, _, err = nlpt("export", runs(), *arguments)
    assert code == 2
    assert message in err
    assert not (runs() / "onnx").exists()


def test_engines_that_cannot_be_are_refused(nlpt: Run, runs: Callable[..., Path]) -> None:
    for arguments, message in (
        (["--engine", "tensorflow"], "'tensorflow' is unknown (auto, torch, compiled, onnx)"),
        (["--engine", "onnx"], "Export it first: nlpt export"),
        (["--engine", "onnx", "--precision", "bf16"], "has its own precision"),
    ):
        code, _, err = nlpt("predict", runs(), "-", *arguments, stdin="Ada\n")
        assert code == 2
        assert message in err


def test_folder_without_recipe_needs_one(nlpt: Run, runs: Callable[..., Path]) -> None:
    code, _, err = nlpt("export", runs() / "model")
    assert code == 2
    assert "holds no recipe.yaml" in err


def test_model_of_another_task_is_refused(nlpt: Run, runs: Callable[..., Path]) -> None:
    code, _, err = nlpt("export", runs(), "-r", runs("classification"), "-o", "new")
    assert code == 2
    assert "is a model for ner, the recipe is for classification" in err


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_missing_extra_is_named(
    package: str,
    nlpt: Run,
    runs: Callable[..., Path],
    exported: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = nlpt("export", runs(), "--format", "onnx")
    assert code == 2
    assert f"ONNX needs {package}" in err
    assert "pip install 'nlp-transfer[export]'" in err
    if package == "onnxruntime":
        code, _, err = nlpt("predict", exported, "-", "--engine", "onnx", stdin="Ada\n")
        assert code == 2
        assert "pip install 'nlp-transfer[export]'" in err


def test_damaged_file_is_named(exported: Path, tmp_path: Path) -> None:
    broken = made_by_hand(shutil.copytree(exported / "onnx", tmp_path / "broken"))
    (broken / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(UserError, match=r"model\.onnx cannot be read by onnxruntime"):
        Predictor.from_run(broken)


def test_an_export_beside_files_of_another_model_is_refused(exported: Path, tmp_path: Path) -> None:
    fewer = made_by_hand(shutil.copytree(exported / "onnx", tmp_path / "fewer"))
    config = json.loads((fewer / "config.json").read_text("utf-8"))
    names = list(config["label2id"])[:-2]
    config["label2id"] = {name: number for number, name in enumerate(names)}
    config["id2label"] = {str(number): name for number, name in enumerate(names)}
    (fewer / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(UserError, match=r"outputs, config\.json beside it names"):
        list(Predictor.from_run(fewer)(["Ada met Tom"]))


def test_soft_prompt_cannot_be_exported(nlpt: Run, runs: Callable[..., Path]) -> None:
    run = runs(strategy={"name": "prompt", "tokens": 2})
    code, _, err = nlpt("export", run)
    assert code == 2
    assert "soft prompt" in err
    assert not (run / "onnx").exists()


def test_starting_over_deletes_the_export(nlpt: Run, exported: Path, tmp_path: Path) -> None:
    run = shutil.copytree(exported, tmp_path / "run")
    code, _, err = nlpt("finetune", "-r", run, "training.epochs=1", "--output", run, "--fresh")
    assert code == 0, err
    assert not (run / "onnx").exists()


@pytest.mark.slow
@pytest.mark.parametrize("task", ["ner", "classification"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_be_exported(
    family: str, task: str, nlpt: Run, runs: Callable[..., Path]
) -> None:
    run = runs(task, family)
    assert nlpt("export", run, "-o", "fp32")[0] == 0
    code, _, err = nlpt("export", run, "-o", "int8", "--quantize", "int8", "--min-agreement", 0.9)
    assert code == 0, err
    texts = [" ".join([SENTENCES[0]] * times) for times in (1, 3, 12)]
    exact = list(Predictor.from_run(run, precision="fp32")(texts))
    assert _answers(Predictor.from_run("fp32")(texts)) == _answers(exact)


@pytest.mark.slow
def test_adapter_is_exported_with_its_base(nlpt: Run, runs: Callable[..., Path]) -> None:
    run = runs(strategy={"name": "lora", "rank": 4, "merge": False})
    code, _, err = nlpt("export", run, "-o", "new")
    assert code == 0, err
    exact = list(Predictor.from_run(run, precision="fp32")(SENTENCES))
    assert _answers(Predictor.from_run("new")(SENTENCES)) == _answers(exact)


def _answers(results: Any) -> list[Any]:
    return [result.get("tags", result.get("label")) for result in results]


def _tags(line: str) -> list[str]:
    tags: list[str] = json.loads(line)["tags"]
    return tags
