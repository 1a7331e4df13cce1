"""`nlpt bench`: engines measured in turns; `--engine auto` goes by what was found, here alone."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--rounds", 1, "--timed", 4, "--batch", 1024)
TEXT = "Ada Lovelace wrote to Paris .\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache in which nothing was found yet."""
    monkeypatch.setenv("NLPT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _kept(cache: Path) -> Path:
    (file,) = (cache / "engines").glob("*.json")
    return file


def _found(cache: Path, speeds: dict[str, float], **changes: Any) -> None:
    """Let what was found say other speeds; changes: of engines by name, with _ for -."""
    file = _kept(cache)
    found = json.loads(file.read_text("utf-8"))
    for engine in found["engines"]:
        speed = speeds[engine["name"]]
        engine |= {"median": speed, "low": speed, "high": speed}
        engine |= changes.get(engine["name"].replace("-", "_"), {})
    file.write_text(json.dumps(found), encoding="utf-8")


def test_engines_are_measured_and_the_run_stays_as_it_was(
    nlpt: Run, trained_ner: Path, cache: Path
) -> None:
    before = _files(trained_ner)
    batches = ("--rounds", 2, "--timed", 4, "--batch", "512,1024")
    engines = ("--engines", "torch-bf16", "--json", "out.json")
    code, out, err = nlpt("bench", trained_ner, *batches, *engines)
    assert code == 0, err
    assert _files(trained_ner) == before
    found = json.loads(Path("out.json").read_text("utf-8"))
    assert (found["examples"], found["count"], found["timed_count"]) == ("test split", 12, 4)
    measured = {(one["facts"]["name"], one["tokens_per_batch"]) for one in found["timed"]}
    assert measured >= {("torch-fp32", 512), ("torch-fp32", 1024)}
    for one in found["timed"]:
        assert len(one["rates"]["wall"]) == len(one["rates"]["processor"]) == 2
        assert min(one["rates"]["wall"]) > 0
    exact = found["timed"][0]["facts"]
    assert exact["agreement"] == 1
    assert 0 <= exact["figure"] <= 1
    assert exact["start_seconds"] > 0
    assert found["stock"].keys() == {"1", "32"}
    assert found["peak_flops"] > found["flops"] > 0
    assert found["machine"]["threads"] == 1
    assert "same as torch-fp32" in out
    assert "transformers pipeline, fp32, batch 32" in out
    assert "astest" in out  # told, or not
    assert "--engine auto takes torch-" in out
    assert str(_kept(cache)) in err


def test_auto_takes_the_fastest_that_answers_alike_and_says_so(
    nlpt: Run, trained_ner: Path, cache: Path
) -> None:
    predict = ("predict", trained_ner, "-")
    code, expected, err = nlpt(*predict, "--precision", "fp32", stdin=TEXT)
    assert (code, err) == (0, "")
    assert nlpt("bench", trained_ner, *QUICK, "--engines", "torch-fp32")[0] == 0
    _found(cache, {"torch-fp32": 77}, torch_fp32={"by_itself": False, "tokens_per_batch": 512})
    code, out, err = nlpt(*predict, stdin=TEXT)
    assert (code, out) == (0, expected)
    assert err.startswith("engine: torch-fp32, 512 pieces a batch, by what nlpt bench measured on ")
    assert len(err.splitlines()) == 1
    assert nlpt(*predict, "--engine", "torch", stdin=TEXT)[2] == "", "the user has chosen"
    assert nlpt(*predict, "--precision", "fp32", stdin=TEXT)[2] == ""
    assert nlpt("predict", trained_ner, trained_ner, "-", stdin=TEXT)[2] == "", "an ensemble"
    _found(cache, {"torch-fp32": 77}, torch_fp32={"agreement": 0.9949})
    assert nlpt(*predict, stdin=TEXT)[2] == ""


def test_where_pytorch_as_ever_cannot_be_told_from_the_fastest_it_is_taken(
    nlpt: Run, trained_ner: Path, cache: Path
) -> None:
    engines = ("--rounds", 1, "--timed", 4, "--batch", "512,1024", "--engines", "torch-fp32")
    assert nlpt("bench", trained_ner, *engines)[0] == 0
    found = json.loads(_kept(cache).read_text("utf-8"))
    small, large = found["engines"]
    small |= {"median": 80, "low": 70, "high": 90}
    for high, taken in ((85, "1,024"), (69, "512")):
        large |= {"median": 67, "low": 65, "high": high, "by_itself": True}
        _kept(cache).write_text(json.dumps(found), encoding="utf-8")
        said = nlpt("predict", trained_ner, "-", stdin=TEXT)[2]
        assert f"engine: torch-fp32, {taken} pieces a batch" in said


def test_an_adapter_is_measured_as_a_model_of_its_own(
    nlpt: Run, trained: Any, tiny_recipe: Any, cache: Path
) -> None:
    run = trained(tiny_recipe(strategy={"name": "lora", "rank": 2}, training={"epochs": 1}))
    engines = ("--engines", "torch-fp32")
    code, _, err = nlpt("bench", run / "adapter", "-r", run, *QUICK, *engines)
    assert code == 0, err
    assert "engine: torch-fp32" in nlpt("predict", run / "adapter", "-", stdin=TEXT)[2]
    assert nlpt("predict", run, "-", stdin=TEXT)[2] == "", "the whole model is another"
    beside = ("predict", run / "model", "-", "--adapter", run / "adapter", "--engine", "compiled")
    code, _, err = nlpt(*beside, stdin=TEXT)
    assert (code, "adapters that share a base are not compiled" in err) == (2, True)


def test_what_was_found_elsewhere_or_of_another_model_is_not_used(
    nlpt: Run, trained_ner: Path, cache: Path, tmp_path: Path
) -> None:
    assert nlpt("bench", trained_ner, *QUICK, "--engines", "torch-fp32")[0] == 0
    file = _kept(cache)
    other = shutil.copytree(trained_ner / "model", tmp_path / "other")
    (other / "manifest.json").unlink()
    config = json.loads((other / "config.json").read_text("utf-8"))
    (other / "config.json").write_text(json.dumps(config | {"more": 1}), encoding="utf-8")
    assert nlpt("predict", other, "-", stdin=TEXT)[::2] == (0, "")
    assert "engine: torch-fp32" in nlpt("predict", trained_ner / "model", "-", stdin=TEXT)[2]
    file.rename(file.with_name(f"0{file.name[1:]}" if file.name[0] != "0" else f"1{file.name[1:]}"))
    assert nlpt("predict", trained_ner, "-", stdin=TEXT)[::2] == (0, "")


@pytest.mark.parametrize("content", ["", "{", '{"engines": []}', "[" * 100_000])
def test_a_damaged_file_is_told_and_pytorch_computes(
    content: str, nlpt: Run, trained_ner: Path, cache: Path
) -> None:
    from nlp_transfer.inference.machine import describe_machine, key_of

    assert nlpt("bench", trained_ner, *QUICK, "--engines", "torch-fp32")[0] == 0
    assert _kept(cache).name.startswith(key_of(describe_machine("cpu")))
    _kept(cache).write_text(content, encoding="utf-8")
    code, out, err = nlpt("predict", trained_ner, "-", stdin=TEXT)
    assert (code, len(out.splitlines())) == (0, 1)
    assert "is damaged: measure again with nlpt bench" in err
    assert len(err.splitlines()) == 1


def test_where_nothing_can_be_kept_the_figures_are_shown_all_the_same(
    nlpt: Run, trained_ner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NLPT_CACHE", str(tmp_path / "file" / "cache"))
    Path("texts.txt").write_text(TEXT * 3, encoding="utf-8")
    engines = ("--engines", "torch-fp32", "--texts", "texts.txt", "--json", "out.json")
    code, out, err = nlpt("bench", trained_ner, *QUICK, *engines)
    assert code == 0, err
    assert "--engine auto will not know of it" in err
    assert "texts.txt, 3 examples; speed on 3 of them" in out
    found = json.loads(Path("out.json").read_text("utf-8"))
    assert found["timed"][0]["facts"]["figure"] is None


@pytest.mark.slow
def test_an_export_is_chosen_as_long_as_it_is_the_one_that_was_measured(
    nlpt: Run, trained_ner: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(trained_ner, tmp_path / "run")
    assert nlpt("export", run)[0] == 0
    code, out, err = nlpt("bench", run, *QUICK, "--engines", "onnx-fp32")
    assert code == 0, err
    assert "was exported to be measured only" not in out
    _found(cache, {"torch-fp32": 10, "onnx-fp32": 90})
    assert "engine: onnx-fp32" in nlpt("predict", run, "-", stdin=TEXT)[2]
    shutil.rmtree(run / "onnx")
    assert "engine: torch-fp32" in nlpt("predict", run, "-", stdin=TEXT)[2]
    code, out, err = nlpt("bench", run, *QUICK, "--engines", "onnx-fp32")
    assert "onnx-fp32 was exported to be measured only" in out
    assert not (run / "onnx").exists()
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    code, out, err = nlpt("bench", run, *QUICK, "--engines", "onnx-fp32")
    assert code == 0, err
    assert "onnx-fp32 is not measured: ONNX needs onnxscript, which is not installed" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["RUN", "RUN"], "RUN: engines are measured of one model."),
        (["nowhere/run"], "RUN: "),
        (["RUN", "--engines", "torch"], "--engines: 'torch' is unknown (torch-fp32, "),
        (["RUN", "--batch", "many"], "--batch: 'many' is no list of numbers"),
        (
            ["RUN", "--batch", "0"],
            "--batch, --rounds, --examples and --timed are numbers from 1 on.",
        ),
        (["RUN", "--clock", "sun"], "--clock: 'sun' is unknown (wall, processor)."),
        (["RUN", "--device", "tpu"], "--device: 'tpu' is not here"),
        (["RUN", "--texts", "none.txt"], "--texts: there is no file 'none.txt'."),
        (["RUN", "--texts", "empty.txt"], "--texts: empty.txt holds no text."),
        (["RUN/model"], "--recipe: "),
        (["unfinished"], "is not finished"),
    ],
)
def test_a_mistake_is_told_in_a_line_and_nothing_is_kept(
    arguments: list[str], said: str, nlpt: Run, trained_ner: Path, cache: Path
) -> None:
    Path("empty.txt").write_text("\n \n", encoding="utf-8")
    Path("unfinished").mkdir()
    shutil.copy(trained_ner / "recipe.yaml", "unfinished")
    given = [one.replace("RUN", str(trained_ner)) for one in arguments]
    code, out, err = nlpt("bench", *given)
    assert (code, out) == (2, ""), err
    assert said in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not (cache / "engines").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--device", "mps"], "--device: compiled PyTorch computes on the CPU here, not on 'mps'."),
        (
            [],
            "--engine compiled: PyTorch needs a C++ compiler, and 'no-such-compiler' is not there",
        ),
    ],
)
def test_what_cannot_be_compiled_is_told(
    options: list[str], said: str, nlpt: Run, trained_ner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    command = ("predict", trained_ner, "-", "--engine", "compiled", *options)
    code, out, err = nlpt(*command, stdin=TEXT)
    assert (code, out) == (2, "")
    assert said in err


def test_code_in_a_folder_that_others_may_reach_is_not_run(
    nlpt: Run, trained_ner: Path, cache: Path
) -> None:
    (cache / "compiled").mkdir(parents=True)
    (cache / "compiled").chmod(0o770)
    code, out, err = nlpt("predict", trained_ner, "-", "--engine", "compiled", stdin=TEXT)
    assert (code, out) == (2, "")
    assert "holds code that is run, and others may reach it" in err
    assert "chmod 700" in err


@pytest.mark.slow
def test_compiled_code_answers_alike_and_is_kept_for_the_next_start(
    nlpt: Run, trained: Any, tiny_recipe: Any, checkpoint: Any, cache: Path
) -> None:
    small = checkpoint("bert", num_hidden_layers=1)
    run = trained(tiny_recipe("ner", checkpoint=small, training={"epochs": 3}))
    before = _files(run)
    code, out, err = nlpt("bench", run, *QUICK, "--engines", "compiled", "--json", "out.json")
    assert code == 0, err
    assert err.count("the model is compiled for this machine") == 1
    (facts,) = (
        one["facts"]
        for one in json.loads(Path("out.json").read_text("utf-8"))["timed"]
        if one["facts"]["name"] == "compiled"
    )
    assert facts["agreement"] == 1
    assert facts["first_start_seconds"] > facts["start_seconds"]
    assert _files(run) == before
    assert (cache / "compiled").stat().st_mode & 0o777 == 0o700
    (code_folder,) = (cache / "compiled").iterdir()
    assert {path.name for path in code_folder.iterdir()} == {"manifest.json", "model.pt2"}
    texts = "".join("Ada Lovelace " * n + "wrote .\n" for n in range(60))
    predict = ("predict", run, "-")
    expected = nlpt(*predict, "--engine", "torch", stdin=texts)[1]
    code, out, err = nlpt(*predict, "--engine", "compiled", stdin=texts)
    assert (code, err) == (0, ""), "nothing is compiled again"
    tags = [[json.loads(line)["tags"] for line in lines.splitlines()] for lines in (out, expected)]
    assert tags[0] == tags[1]
    _found(cache, {"torch-fp32": 10, "compiled": 90})
    assert "engine: compiled" in nlpt(*predict, stdin=TEXT)[2]
    (code_folder / "model.pt2").write_bytes(b"no code")
    code, _, err = nlpt(*predict, "--engine", "compiled", stdin=TEXT)
    assert code == 0
    assert "is damaged (model.pt2 has 7 bytes of " in err
